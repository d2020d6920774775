//! The listeners that clients are sent to: a pattern's own port, or one that serves every protocol.

/// A kind of listener.
#[derive(PartialEq)]
pub(crate) struct Listener {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// Its pattern.
    pub(crate) pattern: &'static str,
    /// Further lines of its configuration.
    pub(crate) keys: &'static str,
    /// The port that it must have, if that matters to it.
    pub(crate) port: Option<u16>,
}

impl Listener {
    /// A pattern on a port of its own.
    pub(crate) const fn of(pattern: &'static str) -> Self {
        Self { name: pattern, pattern, keys: "", port: None }
    }

    /// A pattern at a rate at which nothing waits, for what would leave before it has seen much.
    const fn fast(name: &'static str, pattern: &'static str) -> Self {
        Self { name, pattern, keys: "rate_limit = 1000\n", port: None }
    }

    /// One port for all protocols. Whoever waits for the server to speak first is told what is
    /// usual for the port.
    const fn auto(name: &'static str, port: Option<u16>) -> Self {
        Self { name, pattern: "auto", keys: "", port }
    }
}

pub(crate) static AUTO: Listener = Listener::auto("auto", None);
pub(crate) static AUTO_FTP: Listener = Listener::auto("auto, port 2121", Some(2121));
pub(crate) static AUTO_SMTP: Listener = Listener::auto("auto, port 2525", Some(2525));
pub(crate) static AUTO_TELNET: Listener = Listener::auto("auto, port 2323", Some(2323));

pub(crate) static EGSH_AMINOAS: Listener = Listener::of("egsh_aminoas");
pub(crate) static ENDLESSH: Listener = Listener::of("endlessh");
pub(crate) static ENDLESS_BANNER: Listener = Listener::of("endless_banner");
pub(crate) static FTP_ENDLESS_MOTD: Listener = Listener::of("ftp_endless_motd");
pub(crate) static FTP_FAST: Listener = Listener::fast("ftp_hold, fast", "ftp_hold");
pub(crate) static FTP_HOLD: Listener = Listener::of("ftp_hold");
pub(crate) static HTTP_BAD_SITE: Listener = Listener::of("http_bad_site");
pub(crate) static HTTP_DEFLATE_HTML_BOMB: Listener = Listener::of("http_deflate_html_bomb");
pub(crate) static HTTP_DEFLATE_SIZE_BOMB: Listener = Listener::of("http_deflate_size_bomb");
pub(crate) static HTTP_ENDLESS_HEADER: Listener = Listener::of("http_endless_header");
pub(crate) static HTTP_FAKE_AUTH: Listener = Listener::of("http_fake_auth");
pub(crate) static HTTP_FAST: Listener = Listener::fast("http_hold, fast", "http_hold");
pub(crate) static HTTP_HOLD: Listener = Listener::of("http_hold");
pub(crate) static SMTP_ENDLESS_EHLO: Listener = Listener::of("smtp_endless_ehlo");
pub(crate) static SMTP_FAST: Listener = Listener::fast("smtp_hold, fast", "smtp_hold");
pub(crate) static SMTP_HOLD: Listener = Listener::of("smtp_hold");
pub(crate) static SSH_AUTH_HOLD: Listener = Listener::of("ssh_auth_hold");
pub(crate) static SSH_KEX_HOLD: Listener = Listener::of("ssh_kex_hold");
pub(crate) static SSH_TRANS_HOLD: Listener = Listener::of("ssh_trans_hold");
pub(crate) static TELNET_LOGIN: Listener = Listener::of("telnet_login");
pub(crate) static TLS_ENDLESS_HELLO_REQUEST: Listener = Listener::of("tls_endless_hello_request");
pub(crate) static TLS_HTTP: Listener = Listener {
    name: "tls, inner http_hold",
    pattern: "tls",
    keys: "inner = \"http_hold\"\n",
    // Scanners look for TLS behind this port first, and behind others after half a minute.
    port: Some(8443),
};
pub(crate) static TLS_RECORD_DRIP: Listener = Listener::of("tls_record_drip");
pub(crate) static TLS_SLOW_HELLO: Listener = Listener::of("tls_slow_hello");
