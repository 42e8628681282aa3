//! Opens a connection: TCP, and TLS with the certificate authorities to trust.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, RootCertStore};

use super::dialogue::{Dialogue, ReplyError, SessionDeadline};
use super::settings::{SmtpSettings, Tls};
use crate::report::error::{DeliveryError, DeliveryStep, FailureKind};

/// A connection: encrypted with `tls = "tls"`, otherwise in clear text. With `tls = "none"` only to this machine.
pub(super) async fn connect(settings: &SmtpSettings, deadline: &SessionDeadline) -> Result<Dialogue, DeliveryError> {
    let fail = |kind, text: &str| DeliveryError::new(&settings.via(), DeliveryStep::Connect, kind, text);
    let target = (settings.host.as_str(), settings.port);
    let tcp = async { TcpStream::connect(target).await.map_err(ReplyError::Lost) };
    let stream = deadline.within(settings.limits.connect, tcp).await;
    let stream = stream.map_err(|error| fail(FailureKind::NeverSent, &error.to_string()))?;
    if !stream.peer_addr().is_ok_and(|address| may_be_clear(settings.tls, address.ip())) {
        let text = "tls = \"none\" is for this machine only; set \"starttls\" or \"tls\"";
        return Err(fail(FailureKind::Misconfigured, text));
    }
    let dialogue = Dialogue::over(stream);
    if settings.tls == Tls::Wrapper {
        encrypt(dialogue, settings, deadline, DeliveryStep::Connect).await
    } else {
        Ok(dialogue)
    }
}

/// Clear text without STARTTLS must stay on this machine. The address that was reached decides, not its name.
pub(super) fn may_be_clear(tls: Tls, reached: IpAddr) -> bool {
    tls != Tls::None || reached.to_canonical().is_loopback()
}

/// The same dialogue, encrypted, with a server whose certificate is valid.
pub(super) async fn encrypt(
    dialogue: Dialogue,
    settings: &SmtpSettings,
    deadline: &SessionDeadline,
    step: DeliveryStep,
) -> Result<Dialogue, DeliveryError> {
    let fail = |kind, text: &str| DeliveryError::new(&settings.via(), step, kind, text);
    let name = ServerName::try_from(settings.host.clone()).map_err(|error| {
        fail(FailureKind::Misconfigured, &format!("`{}` cannot be in a certificate: {error}", settings.host))
    })?;
    let ca_file = settings.ca_file.clone();
    // Reads files: the given authority, or the system's.
    let reading = async { Ok(tokio::task::spawn_blocking(move || tls_config(ca_file.as_deref())).await) };
    let config = deadline.within(settings.limits.step, reading).await;
    let config = config
        .map_err(|error| fail(FailureKind::NeverSent, &format!("reading the certificate authorities: {error}")))?;
    let config = config.map_err(|error| fail(FailureKind::NeverSent, &error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(config.map_err(|text| fail(FailureKind::Misconfigured, &text))?));
    let encrypted = deadline.within(settings.limits.step, dialogue.encrypt(&connector, name)).await;
    encrypted.map_err(|error| {
        let (kind, hint) = handshake(settings.tls, &error);
        fail(kind, &format!("{error}{hint}"))
    })
}

/// Trusts only the authority in the file; without a file, the system's authorities.
fn tls_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let to_text = |error: TlsError| error.to_string();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(to_text)?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(authority(path)?),
        None => builder.with_platform_verifier().map_err(to_text)?,
    };
    let mut config = builder.with_no_client_auth();
    // A connection is never reused, so there is nothing to resume.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn authority(path: &Path) -> Result<RootCertStore, String> {
    let to_text = |what: &dyn fmt::Display| format!("the certificate authority in {}: {what}", path.display());
    let pem = std::fs::read(path).map_err(|error| to_text(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| to_text(&error))?;
        roots.add(certificate).map_err(|error| to_text(&error))?;
    }
    if roots.is_empty() { Err(to_text(&"it holds no certificate (PEM)")) } else { Ok(roots) }
}

/// Classifies a failed handshake: certificates or a wrong port need a person; a error connection may work tomorrow.
/// Clear text after the server's reply to STARTTLS is neither: somebody in between may have injected it.
fn handshake(tls: Tls, error: &ReplyError) -> (FailureKind, &'static str) {
    let ReplyError::Handshake(error) = error else {
        let silent = tls == Tls::Wrapper && matches!(error, ReplyError::StepTimeout(_));
        return (
            FailureKind::NeverSent,
            if silent { "; a port that begins in clear text needs tls = \"starttls\"" } else { "" },
        );
    };
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(TlsError::InvalidMessage(_)) if tls == Tls::StartTls => {
            (FailureKind::NeverSent, "; something was sent in clear text after the reply to STARTTLS")
        }
        Some(TlsError::InvalidMessage(_)) => {
            (FailureKind::Misconfigured, "; a port that begins in clear text needs tls = \"starttls\"")
        }
        Some(_) => (FailureKind::Misconfigured, ""),
        None => (FailureKind::NeverSent, ""),
    }
}
