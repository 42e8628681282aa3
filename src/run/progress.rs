//! What a run says while it is driven: to whoever watches, and to the log.

use crate::policy::text;
use crate::run::Progress;
use crate::run::drive::Drive;

impl Drive<'_> {
    /// Tells whoever watches, and the log.
    pub(super) fn say(&self, text: String) {
        let (server, policy) = (&self.task.server.reference, &self.task.policy.name);
        tracing::info!(run = self.run.id, %server, %policy, "{}", text::one_line(&text));
        self.show(text, false);
    }

    /// Tells whoever watches that nothing has changed, which is no news for the log.
    pub(super) fn wait_for(&self, text: String) {
        self.show(text, false);
    }

    pub(super) fn show(&self, text: String, over: bool) {
        let (server, policy) = (self.task.server.reference.clone(), self.task.policy.name.to_string());
        if let Some(progress) = &self.world.progress {
            // Nobody may be listening any more; the run goes on all the same.
            let _ = progress.send(Progress { run: self.run.id, server, policy, text, over });
        }
    }
}
