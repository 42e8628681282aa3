//! The way to a greeted connection: TCP, trust, TLS.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;

use super::{Broken, SmtpError, SmtpSettings, Tls, limited, silence, words};
use crate::report::error::{DeliveryError, Kind, Step};

/// A greeted connection in clear text. With `tls = "none"` to this machine alone.
pub(super) async fn in_clear(settings: &SmtpSettings) -> Result<AsyncSmtpConnection, DeliveryError> {
    let fail = |step, kind, text: &str| DeliveryError::new(&settings.via(), step, kind, text);
    let stream = tcp(settings).await?;
    if !stream.peer_addr().is_ok_and(|address| may_be_clear(settings.tls, address.ip())) {
        let text = "tls = \"none\" is for this machine alone; write \"starttls\" or \"tls\"";
        return Err(fail(Step::Connect, Kind::Misconfigured, text));
    }
    let name = ClientId::default();
    let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(stream), &name);
    match limited(settings.limits.step, greeting).await {
        Ok(connection) => Ok(connection),
        Err(Broken::Smtp(error)) if error.is_transient() => Err(fail(Step::Greeting, Kind::RetryLater, &words(&error))),
        Err(Broken::Smtp(error)) => Err(fail(Step::Greeting, Kind::NeverSent, &words(&error))),
        Err(Broken::Silent(limit)) => {
            let hint = "a port that is encrypted from the start needs tls = \"tls\"";
            Err(fail(Step::Greeting, Kind::NeverSent, &format!("{}; {hint}", silence(limit))))
        }
    }
}

/// Clear text without STARTTLS stays on this machine. Decided by the address that was reached, not by a name.
pub(super) fn may_be_clear(tls: Tls, reached: IpAddr) -> bool {
    tls != Tls::None || reached.to_canonical().is_loopback()
}

async fn tcp(settings: &SmtpSettings) -> Result<TcpStream, DeliveryError> {
    let limit = settings.limits.connect;
    let fail = |text: &str| DeliveryError::new(&settings.via(), Step::Connect, Kind::NeverSent, text);
    match tokio::time::timeout(limit, TcpStream::connect((settings.host.as_str(), settings.port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(fail(&error.to_string())),
        Err(_) => Err(fail(&silence(limit))),
    }
}

/// TCP, the handshake and the greeting are one call of lettre's, so one step with the limits of all three.
pub(super) async fn encrypted(settings: &SmtpSettings) -> Result<AsyncSmtpConnection, DeliveryError> {
    let fail = |kind, text: &str| DeliveryError::new(&settings.via(), Step::Connect, kind, text);
    let parameters = tls_parameters(settings, Step::Connect).await?;
    let limits = settings.limits;
    let (target, name) = ((settings.host.as_str(), settings.port), ClientId::default());
    let connected = AsyncSmtpConnection::connect_tokio1(target, Some(limits.connect), &name, Some(parameters), None);
    match limited(limits.connect + limits.step, connected).await {
        Ok(connection) => Ok(connection),
        Err(Broken::Smtp(error)) if error.is_transient() => Err(fail(Kind::RetryLater, &words(&error))),
        Err(Broken::Smtp(error)) => {
            let kind = handshake_kind(&error);
            let hint =
                if kind == Kind::Misconfigured { "; a port that begins in clear text needs \"starttls\"" } else { "" };
            Err(fail(kind, &format!("{}{hint}", words(&error))))
        }
        Err(Broken::Silent(limit)) => {
            let hint = "a port that begins in clear text needs tls = \"starttls\"";
            Err(fail(Kind::NeverSent, &format!("{}; {hint}", silence(limit))))
        }
    }
}

/// Whom to trust.
pub(super) async fn tls_parameters(settings: &SmtpSettings, step: Step) -> Result<TlsParameters, DeliveryError> {
    let (host, ca_file, via) = (settings.host.clone(), settings.ca_file.clone(), settings.via());
    // Reads files: the authority, or the system's.
    tokio::task::spawn_blocking(move || {
        let builder = TlsParameters::builder(host);
        trusted(builder, ca_file.as_deref())
            .and_then(|builder| builder.build().map_err(|error| error.to_string()))
            .map_err(|text| DeliveryError::new(&via, step, Kind::Misconfigured, &text))
    })
    .await
    .map_err(|error| DeliveryError::new(&settings.via(), step, Kind::NeverSent, &error.to_string()))?
}

fn trusted(builder: TlsParametersBuilder, ca_file: Option<&Path>) -> Result<TlsParametersBuilder, String> {
    let Some(path) = ca_file else { return Ok(builder) };
    let told = |what: &dyn fmt::Display| format!("the authority in {}: {what}", path.display());
    let pem = std::fs::read(path).map_err(|error| told(&error))?;
    let certificate = Certificate::from_pem(&pem).map_err(|error| told(&error))?;
    if !pem.windows(10).any(|window| window == b"-----BEGIN") {
        return Err(told(&"it holds no certificate (PEM)"));
    }
    Ok(builder.certificate_store(CertificateStore::None).add_root_certificate(certificate))
}

/// A failed handshake is a matter of certificates or of the wrong port; a broken connection may be well tomorrow.
pub(super) fn handshake_kind(error: &SmtpError) -> Kind {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let io = cause.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::InvalidData) {
            return Kind::Misconfigured;
        }
        source = cause.source();
    }
    Kind::NeverSent
}
