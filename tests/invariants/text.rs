//! The mark as docs/policy.md describes it, read without the help of the program.

use jiff::Timestamp;

/// What a description of ours says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MarkText {
    pub(super) token: String,
    pub(super) instance: String,
    pub(super) policy: String,
    pub(super) due: String,
}

/// The mark at the beginning of a description: `lg-TOKEN8 INSTANCE POLICY DUE`.
pub(super) fn mark(description: &str) -> Option<MarkText> {
    let [token, instance, policy, due] = description.split(' ').take(4).collect::<Vec<_>>().try_into().ok()?;
    let token = token.strip_prefix("lg-").filter(|token| token.len() == 8)?;
    due.parse::<Timestamp>().ok()?;
    Some(MarkText {
        token: token.to_owned(),
        instance: instance.to_owned(),
        policy: policy.to_owned(),
        due: due.to_owned(),
    })
}

/// Whether a text has the form of a pattern with `*` and `?`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    match pattern.next() {
        None => text.next().is_none(),
        Some('*') => {
            let rest = pattern.as_str();
            fits(rest, text.as_str()) || text.next().is_some_and(|_| fits(&format!("*{rest}"), text.as_str()))
        }
        Some(sign) => text.next().is_some_and(|it| sign == '?' || sign == it) && fits(pattern.as_str(), text.as_str()),
    }
}
