//! PURE: under which names the listener is asked. A web page of a stranger can reach a loopback address through a host
//! name of its own; the browser then sends that name, which is not ours.

use std::net::{IpAddr, Ipv6Addr};

use http::uri::Authority;

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostRefusal {
    /// It names no host, several, or something that is none.
    NoHost,
    /// It names a host that is not ours.
    NotOurs,
}

/// Checks every host that a request names: the `Host` headers, and that of a target in absolute form. `ours` are names in
/// lower case; addresses and `localhost` are always ours. Ports do not matter.
///
/// # Errors
/// Why it is refused.
pub(super) fn check_host<'a>(
    headers: impl IntoIterator<Item = &'a [u8]>,
    target: Option<&Authority>,
    ours: &[String],
) -> Result<(), HostRefusal> {
    let mut headers = headers.into_iter();
    let (Some(header), None) = (headers.next(), headers.next()) else { return Err(HostRefusal::NoHost) };
    let header = std::str::from_utf8(header).ok().and_then(host_of).ok_or(HostRefusal::NoHost)?;
    let target = target.map(|target| host_of(target.as_str()).ok_or(HostRefusal::NoHost)).transpose()?;
    if std::iter::once(header).chain(target).all(|host| is_ours(host, ours)) {
        Ok(())
    } else {
        Err(HostRefusal::NotOurs)
    }
}

/// The host of `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`, with the brackets.
fn host_of(text: &str) -> Option<&str> {
    let end = if text.starts_with('[') { text.find(']')? + 1 } else { text.find(':').unwrap_or(text.len()) };
    let (host, rest) = text.split_at(end);
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = |host: &str| {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        !host.is_empty() && bare.unwrap_or(host).bytes().all(|b| b.is_ascii_graphic() && !br#"/?#@[]\"<>"#.contains(&b))
    };
    (is_host(host) && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))).then_some(host)
}

fn is_ours(host: &str, ours: &[String]) -> bool {
    let is_address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()),
    };
    is_address || host.eq_ignore_ascii_case("localhost") || ours.iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &[&str]) -> Result<(), HostRefusal> {
        let ours = ["backup.example.com".to_owned()];
        check_host(hosts.iter().map(|host| host.as_bytes()), None, &ours)
    }

    #[test]
    fn addresses_localhost_and_the_names_of_the_file_are_ours_whatever_the_port_and_the_case() {
        for host in [
            "127.0.0.1",
            "127.0.0.1:9810",
            "192.0.2.7:1",
            "localhost",
            "LocalHost:80",
            "localhost:",
            "[::1]",
            "[::1]:9810",
            "[::ffff:127.0.0.1]",
            "[2001:DB8::7]:9810",
            "backup.example.com",
            "BACKUP.example.COM:443",
        ] {
            assert_eq!(check(&[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn every_other_name_is_a_strangers() {
        for host in [
            "evil.example",
            "localhost.",
            "localhost.evil.example",
            "backup.example.com.evil.example",
            "127.0.0.1.evil.example",
            "127.1",
            "0x7f.0.0.1",
            "2130706433",
            "127.0.0.01",
            "[::1%25lo]",
            "[evil.example]",
            "example.com:9810",
        ] {
            assert_eq!(check(&[host]), Err(HostRefusal::NotOurs), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_or_not_one_is_refused_as_such() {
        for hosts in [
            &[][..],
            &[""],
            &[":9810"],
            &["localhost", "localhost"],
            &["localhost:port"],
            &["user@localhost"],
            &["localhost/path"],
            &["::1"],
            &["[::1"],
            &["[::1]9810"],
            &["local host"],
            &["lösung.example"],
        ] {
            assert_eq!(check(hosts), Err(HostRefusal::NoHost), "{hosts:?}");
        }
    }

    #[test]
    fn a_target_in_absolute_form_must_be_ours_too() {
        let check = |target: &str| check_host([&b"localhost"[..]], Some(&target.parse().unwrap()), &[]);
        assert_eq!(check("127.0.0.1:9810"), Ok(()));
        assert_eq!(check("evil.example"), Err(HostRefusal::NotOurs));
        assert_eq!(check("user@localhost"), Err(HostRefusal::NoHost));
    }
}
