//! What `nmap -sV` must record for each pattern that plays a service.

use std::time::Duration;

use crate::client::listener::Listener;
use crate::client::tool::Tool;
use crate::running::job::Ending;

pub(crate) static NMAP: Tool = Tool::debian("nmap", "nmap", "nmap");

/// The longest a scan may take; one that matches takes a few seconds, or some 15 where nmap first
/// waits for a banner that HTTP does not have.
pub(crate) const CAP: Duration = Duration::from_secs(100);

/// The scan of one port. A plain connect scan, so that it is the same for root and for others.
pub(crate) const COMMAND: &str = "nmap -n -Pn -sT -sV -p {port} -oX - {host}";

/// A listener, the persona that it plays, and what it must be taken for.
pub(crate) struct Scan {
    /// Who is scanned.
    pub(crate) on: &'static Listener,
    /// Who it plays; [`DEFAULT`] where nobody is named.
    pub(crate) persona: &'static str,
    /// What nmap must record.
    pub(crate) wanted: Wanted,
}

/// What nmap must record.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    /// One of these products, where nmap's match has no version.
    Product(&'static [&'static str]),
    /// The product, inside TLS.
    Secure(&'static str),
    /// Anything but a service that closes at once: nothing more can be told before a handshake.
    Service,
    /// One of these products, with its version.
    Version(&'static [&'static str]),
}

impl Scan {
    /// A scan of a listener with the persona in force where the user names none.
    pub(crate) const fn of(on: &'static Listener, wanted: Wanted) -> Self {
        Self { on, persona: DEFAULT, wanted }
    }

    /// What must be recorded, as the table says it.
    pub(crate) fn wanted(&self) -> String {
        match self.wanted {
            Wanted::Product(products) => products.join(" or "),
            Wanted::Secure(product) => format!("{product}, version, inside TLS"),
            Wanted::Service => "not tcpwrapped".to_owned(),
            Wanted::Version(products) => format!("{}, version", products.join(" or ")),
        }
    }

    /// The line of the configuration that sets its persona.
    pub(crate) fn key(&self) -> String {
        if self.persona == DEFAULT {
            return String::new();
        }
        format!("persona = {:?}\n", self.persona)
    }
}

/// The persona in force where the user names none.
const DEFAULT: &str = "ubuntu-22.04";

/// Whom a scan is told of where the row names another persona.
pub(crate) const CAMERA: &str = "ip-camera";
pub(crate) const DEBIAN: &str = "debian-12";
pub(crate) const WINDOWS: &str = "windows-server-2019";

/// What nmap recorded about the one port.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    /// Nothing, or not before the cap; the text says what instead.
    Nothing(String),
    /// A product, with its version where its match carries one, and whether TLS was around it.
    Product { product: String, version: Option<String>, secure: bool },
    /// A service's name and nothing more.
    Service(String),
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
        let version = attribute(service, "version");
        let secure = attribute(service, "tunnel").is_some_and(|tunnel| tunnel == "ssl");
        match attribute(service, "product") {
            Some(product) => Self::Product { product, version, secure },
            None => Self::Service(attribute(service, "name").unwrap_or_default()),
        }
    }

    /// Whether it is what `scan` wants.
    pub(crate) fn satisfies(&self, scan: &Scan) -> bool {
        let Self::Product { product, version, secure } = self else {
            let tcpwrapped = matches!(self, Self::Service(name) if name == "tcpwrapped");
            return matches!(scan.wanted, Wanted::Service) && !tcpwrapped;
        };
        let product = product.as_str();
        match scan.wanted {
            Wanted::Product(products) => products.contains(&product) && !secure,
            Wanted::Secure(wanted) => product == wanted && version.is_some() && *secure,
            Wanted::Service => true,
            Wanted::Version(products) => {
                products.contains(&product) && version.is_some() && !secure
            }
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Nothing(instead) => write!(f, "{instead}"),
            Self::Product { product, version, secure } => {
                write!(f, "{product}")?;
                match version {
                    Some(version) => write!(f, " {version}")?,
                    None => write!(f, ", no version")?,
                }
                if *secure { write!(f, ", inside TLS") } else { Ok(()) }
            }
            Self::Service(name) => write!(f, "service {name:?} without a product"),
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
    use std::process::ExitStatus;

    use super::*;
    use crate::client::listener::AUTO;

    fn record(xml: &str) -> Record {
        Record::read(&Ending::Left(ExitStatus::default()), xml)
    }

    const APACHE: Wanted = Wanted::Version(&["Apache httpd"]);
    const OPENSSH: Wanted = Wanted::Version(&["OpenSSH"]);

    fn scan(wanted: Wanted) -> Scan {
        Scan::of(&AUTO, wanted)
    }

    #[test]
    fn a_product_with_a_version_satisfies() {
        let record = record(
            "<port protocol=\"tcp\" portid=\"2222\"><state state=\"open\"/>\
             <service name=\"ssh\" extrainfo=\"protocol 2.0\" product=\"OpenSSH\" \
             version=\"9.2p1 Debian 2+deb12u2\" method=\"probed\" conf=\"10\"><cpe>a</cpe>",
        );
        assert_eq!(record.to_string(), "OpenSSH 9.2p1 Debian 2+deb12u2");
        assert!(record.satisfies(&scan(OPENSSH)));
        assert!(record.satisfies(&scan(Wanted::Service)));
        assert!(!record.satisfies(&scan(APACHE)));
    }

    #[test]
    fn a_guess_from_the_port_number_does_not_satisfy() {
        let record = record("<service name=\"http-alt\" method=\"table\" conf=\"3\"/>");
        assert_eq!(record.to_string(), "service \"http-alt\" without a product");
        assert!(!record.satisfies(&scan(APACHE)));
    }

    #[test]
    fn tcpwrapped_satisfies_nothing() {
        let record = record("<service name=\"tcpwrapped\" method=\"probed\" conf=\"8\"/>");
        assert!(!record.satisfies(&scan(Wanted::Service)));
    }

    #[test]
    fn a_product_without_a_version_satisfies_only_where_none_is_to_be_had() {
        let record = record("<service name=\"http\" product=\"nginx\" method=\"probed\"/>");
        assert!(!record.satisfies(&scan(Wanted::Version(&["nginx"]))));
        assert!(record.satisfies(&scan(Wanted::Product(&["nginx"]))));
    }

    #[test]
    fn a_product_inside_tls_is_another_than_outside() {
        let record =
            record("<service name=\"http\" product=\"nginx\" version=\"1.18.0\" tunnel=\"ssl\"/>");
        assert_eq!(record.to_string(), "nginx 1.18.0, inside TLS");
        assert!(record.satisfies(&scan(Wanted::Secure("nginx"))));
        assert!(!record.satisfies(&scan(Wanted::Version(&["nginx"]))));
    }

    #[test]
    fn a_scan_that_was_cut_says_so() {
        let record = Record::read(&Ending::Capped, "");
        assert_eq!(record.to_string(), "still scanning after 100 s");
    }
}
