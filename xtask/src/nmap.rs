//! What `nmap -sV` must record for each pattern that plays a service.

use std::time::Duration;

use crate::runner::Ending;

/// The longest a scan may take; one that matches takes a few seconds, or some 15 where nmap first
/// waits for a banner that HTTP does not have.
pub(crate) const CAP: Duration = Duration::from_secs(100);

/// The scan of one port. A plain connect scan, so that it is the same for root and for others.
pub(crate) const COMMAND: &str = "nmap -n -Pn -sT -sV -p {port} -oX - {host}";

/// A pattern, and the products it may be taken for; each of them must come with a version.
pub(crate) struct Check {
    /// The pattern that is scanned.
    pub(crate) pattern: &'static str,
    products: &'static [&'static str],
}

impl Check {
    /// The products, as the table names them.
    pub(crate) fn wanted(&self) -> String {
        format!("{}, version", self.products.join(" or "))
    }
}

/// Every check.
pub(crate) static CHECKS: &[Check] = &[
    Check { pattern: "endlessh", products: SSH },
    Check { pattern: "ftp_endless_motd", products: &["vsftpd"] },
    Check { pattern: "http_bad_site", products: HTTP },
    Check { pattern: "http_endless_header", products: HTTP },
    Check { pattern: "http_fake_auth", products: HTTP },
    Check { pattern: "smtp_endless_ehlo", products: &["Exim smtpd"] },
    Check { pattern: "ssh_trans_hold", products: SSH },
];

const HTTP: &[&str] = &["Apache httpd", "nginx"];
const SSH: &[&str] = &["OpenSSH"];

/// What nmap recorded about the one port.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    /// Not a product, or not before the cap; the text says what instead.
    Nothing(String),
    /// A product, with its version where its match carries one.
    Product { product: String, version: Option<String> },
}

impl Record {
    /// Reads nmap's XML, which it writes whole only when it ends of itself.
    pub(crate) fn read(ending: &Ending, xml: &str) -> Self {
        if matches!(ending, Ending::Capped) {
            return Self::Nothing(format!("still scanning after {} s", CAP.as_secs()));
        }
        let Some(service) = element(xml, "service") else {
            return Self::Nothing("no service".to_owned());
        };
        if let Some(product) = attribute(service, "product") {
            return Self::Product { product, version: attribute(service, "version") };
        }
        let name = attribute(service, "name").unwrap_or_default();
        Self::Nothing(format!("service {name:?} without a product"))
    }

    /// Whether it is what `check` wants.
    pub(crate) fn satisfies(&self, check: &Check) -> bool {
        match self {
            Self::Nothing(_) => false,
            Self::Product { product, version } => {
                check.products.contains(&product.as_str()) && version.is_some()
            }
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing(instead) => write!(f, "{instead}"),
            Self::Product { product, version: Some(version) } => write!(f, "{product} {version}"),
            Self::Product { product, version: None } => write!(f, "{product}, no version"),
        }
    }
}

/// The inside of the first tag of that name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name} "))?;
    // In nmap's XML a `>` inside an attribute is written `&gt;`.
    rest.split_once('>').map(|(inside, _)| inside)
}

fn attribute(element: &str, name: &str) -> Option<String> {
    // The space tells `version` from the end of another name.
    let element = format!(" {element}");
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> Ending {
        Ending::Left("exit status: 0".to_owned())
    }

    #[test]
    fn a_product_with_a_version_satisfies() {
        let xml = "<port protocol=\"tcp\" portid=\"2222\"><state state=\"open\"/>\
                   <service name=\"ssh\" extrainfo=\"protocol 2.0\" product=\"OpenSSH\" \
                   version=\"9.2p1 Debian 2+deb12u2\" method=\"probed\" conf=\"10\"><cpe>a</cpe>";
        let record = Record::read(&left(), xml);
        let check = Check { pattern: "endlessh", products: SSH };
        assert_eq!(record.to_string(), "OpenSSH 9.2p1 Debian 2+deb12u2");
        assert!(record.satisfies(&check));
    }

    #[test]
    fn a_guess_from_the_port_number_does_not_satisfy() {
        let xml = "<service name=\"http-alt\" method=\"table\" conf=\"3\"/>";
        let record = Record::read(&left(), xml);
        assert_eq!(record.to_string(), "service \"http-alt\" without a product");
        assert!(!record.satisfies(&Check { pattern: "http_bad_site", products: HTTP }));
    }

    #[test]
    fn a_product_without_a_version_does_not_satisfy() {
        let xml = "<service name=\"http\" product=\"nginx\" method=\"probed\"/>";
        let record = Record::read(&left(), xml);
        assert!(!record.satisfies(&Check { pattern: "http_bad_site", products: HTTP }));
    }

    #[test]
    fn a_scan_that_was_cut_says_so() {
        let record = Record::read(&Ending::Capped, "");
        assert_eq!(record.to_string(), "still scanning after 100 s");
    }
}
