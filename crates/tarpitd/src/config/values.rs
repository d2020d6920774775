//! Values of settings, read from their text: the same words in a file and on the command line.

use std::net::{IpAddr, Ipv4Addr};

use tarpit_proto::{pacer::Rate, patterns, persona::Persona, script::Pattern};

use super::problem::nearest;
use crate::{
    os::runtime_directory,
    settings::{
        Anonymize, Compat, Evict, Level, Network, Sink, TimeForm, Token, TraceFormat, User,
    },
};

/// The numbers that stand for rates.
pub(super) const MIN_RATE: i64 = -(Rate::SLOWEST as i64);
pub(super) const MAX_RATE: i64 = u32::MAX as i64;

/// A way to write addresses, by its name.
pub(super) fn anonymize(text: &str) -> Result<Anonymize, String> {
    Anonymize::ALL.into_iter().find(|way| way.name() == text).ok_or_else(|| {
        format!(
            "there is no way `{}` to write addresses: write `none`, `prefix` or `keyed`",
            text.escape_debug()
        )
    })
}

/// A policy by its name.
pub(super) fn evict(text: &str) -> Result<Evict, String> {
    Evict::ALL.into_iter().find(|policy| policy.name() == text).ok_or_else(|| {
        format!(
            "there is no policy `{}`: write `noisiest-prefix`, `oldest` or `refuse`",
            text.escape_debug()
        )
    })
}

/// A program by its name, whose metric names are served, too.
pub(super) fn compat(text: &str) -> Result<Compat, String> {
    Compat::ALL.into_iter().find(|compat| compat.name() == text).ok_or_else(|| {
        let text = text.escape_debug();
        format!("there are no metric names of `{text}`: write `endlessh-go` or `none`")
    })
}

/// A level by its name, in any case; `warn` is short for `warning`.
pub(super) fn level(text: &str) -> Result<Level, String> {
    if text.eq_ignore_ascii_case("warn") {
        return Ok(Level::Warning);
    }
    let is_it = |(_, name): &&(Level, &str)| name.eq_ignore_ascii_case(text);
    let found = Level::NAMED.iter().find(is_it).map(|&(level, _)| level);
    found.ok_or_else(|| {
        let names = Level::NAMED.map(|(_, name)| name);
        let all = names.join(", ");
        let text = text.escape_debug();
        match nearest(&text.to_string(), names.into_iter()) {
            Some(nearest) => format!("there is no level `{text}`: did you mean `{nearest}`?"),
            None => format!("there is no level `{text}`: write one of {all}"),
        }
    })
}

/// A network: an address, or an address and a prefix length.
pub(crate) fn network(text: &str) -> Result<Network, String> {
    /// How many bits of an IPv4-mapped address stand before the address (RFC 4291, section
    /// 2.5.5.2).
    const MAPPED: u8 = 96;
    let (ip, length) = text.split_once('/').map_or((text, None), |(ip, l)| (ip, Some(l)));
    let wrong = || {
        format!(
            "`{}` is not a network: write an address, or one with a prefix length as in \
             192.0.2.0/24 or 2001:db8::/32",
            text.escape_debug()
        )
    };
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let whole = if ip.is_ipv4() { 32 } else { 128 };
    let length: u8 = match length {
        None => whole,
        Some(text) => text.parse().ok().filter(|&length| length <= whole).ok_or_else(wrong)?,
    };
    let (ip, length) = match ip.to_canonical() {
        // Clients never have mapped addresses here: such a network means its IPv4 form.
        IpAddr::V4(mapped) if ip.is_ipv6() => {
            let within = length.checked_sub(MAPPED).ok_or_else(|| {
                format!(
                    "`{}` is an IPv4-mapped network shorter than /{MAPPED}, which contains IPv4 \
                     addresses and others: write the IPv4 network itself, such as {}/8",
                    text.escape_debug(),
                    Ipv4Addr::from_bits(mapped.to_bits() & 0xFF00_0000)
                )
            })?;
            (IpAddr::V4(mapped), within)
        }
        _ => (ip, length),
    };
    let network = Network::of(ip, length);
    if network.starts_with(ip) {
        Ok(network)
    } else {
        Err(format!("`{}` has bits set after its prefix: write {network}", text.escape_debug()))
    }
}

/// A group: a name that /etc/group has, or a number.
pub(super) fn group(text: &str) -> Result<u32, String> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let number = |line: &str| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(text) && !text.is_empty();
        if is_it { fields.nth(1)?.parse().ok() } else { None }
    };
    groups.lines().find_map(number).ok_or_else(|| {
        let text = text.escape_debug();
        format!("there is no group `{text}` in /etc/group: write another name, or a number")
    })
}

/// A control socket's path; `on` is the usual one, `off` none.
pub(super) fn socket(text: &str) -> Result<Option<std::path::PathBuf>, String> {
    match text {
        "off" => Ok(None),
        "on" => Ok(Some(runtime_directory::socket_to_make())),
        _ => path(text).map(Some),
    }
}

/// A token for the page: what fits into a header, and cannot be guessed in a day.
pub(super) fn token(text: &str) -> Result<Token, String> {
    const LEAST: usize = 16;
    if text.len() < LEAST {
        return Err(format!(
            "a token has at least {LEAST} characters; `openssl rand -hex 16` makes one"
        ));
    }
    if text.len() > 256 || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
        return Err(
            "a token has at most 256 letters, digits and signs, without spaces and colons".into()
        );
    }
    Ok(Token(text.to_owned()))
}

/// A path that is not empty.
pub(super) fn path(text: &str) -> Result<std::path::PathBuf, String> {
    if text.is_empty() { Err("the path is empty".into()) } else { Ok(text.into()) }
}

/// The pattern called `name`, in any case; also by its protocol or an old name.
pub(super) fn pattern(name: &str) -> Result<&'static dyn Pattern, String> {
    patterns::named(name).ok_or_else(|| {
        let names = patterns::ALL.iter().flat_map(|&pattern| {
            std::iter::once(pattern.name()).chain(patterns::other_names(pattern))
        });
        let advice = match nearest(name, names) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`tarpitd patterns` lists them".to_owned(),
        };
        format!("there is no pattern `{}`: {advice}", name.escape_debug())
    })
}

/// The persona called `name`.
pub(super) fn persona(name: &str) -> Result<&'static str, String> {
    Persona::names().find(|known| *known == name).ok_or_else(|| {
        let names: Vec<_> = Persona::names().collect();
        format!("there is no persona `{}`: write one of {}", name.escape_debug(), names.join(", "))
    })
}

/// The rate that `number` stands for.
pub(crate) fn rate(number: i64) -> Result<Rate, String> {
    Rate::from_number(number)
        .ok_or_else(|| format!("the rate {number} is not between {MIN_RATE} and {MAX_RATE}"))
}

/// A path, `<stdout>` or `<stderr>`.
pub(crate) fn sink(text: &str) -> Result<Sink, String> {
    match text {
        "<stderr>" => Ok(Sink::Stderr),
        "<stdout>" => Ok(Sink::Stdout),
        _ if text.starts_with('<') && text.ends_with('>') => Err(format!(
            "`{}` is neither <stdout> nor <stderr>; write ./{0} for a file of that name",
            text.escape_debug()
        )),
        _ => path(text).map(Sink::File),
    }
}

/// A form of moments by its name.
pub(super) fn time_form(text: &str) -> Result<TimeForm, String> {
    TimeForm::ALL.into_iter().find(|form| form.name() == text).ok_or_else(|| {
        let text = text.escape_debug();
        format!("there is no time format `{text}`: write `epoch` or `rfc3339`")
    })
}

/// A format of the trace by its name.
pub(super) fn trace_format(text: &str) -> Result<TraceFormat, String> {
    TraceFormat::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
        format!(
            "there is no trace format `{}`: write `jsonl`, `ecs`, `cowrie` or `endlessh`",
            text.escape_debug()
        )
    })
}

/// A user: a name, a number, or two numbers with a colon between them.
pub(crate) fn user(text: &str) -> Result<User, String> {
    let wrong = || {
        format!(
            "`{}` is not a user: write a name, or numbers as in 65534 or 65534:65534",
            text.escape_debug()
        )
    };
    let starts_with_digit = text.starts_with(|first: char| first.is_ascii_digit());
    if !starts_with_digit {
        let is_name = !text.is_empty() && !text.contains([':', '/', '\0', '\n', ' ']);
        return if is_name { Ok(User::Name(text.to_owned())) } else { Err(wrong()) };
    }
    // To the kernel the greatest number means "no change" (setresuid(2)).
    let is_meant = |number: &u32| *number != u32::MAX;
    let number = |text: &str| text.parse().ok().filter(is_meant).ok_or_else(wrong);
    Ok(match text.split_once(':') {
        Some((uid, gid)) => User::Ids { uid: number(uid)?, gid: Some(number(gid)?) },
        None => User::Ids { uid: number(text)?, gid: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_it_is_read_and_nonsense_is_named() {
        for text in ["192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::/0", "192.0.2.1/32"] {
            assert_eq!(network(text).unwrap().to_string(), text);
        }
        for text in ["", "example.org", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2.0/24/1", "/8"] {
            assert!(network(text).unwrap_err().contains("is not a network"), "{text}");
        }
        for (mapped, wanted) in [
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:0.0.0.0/96", "0.0.0.0/0"),
            ("::ffff:c000:200/128", "192.0.2.0/32"),
        ] {
            assert_eq!(network(mapped).unwrap().to_string(), wanted);
        }
        let error = network("::ffff:0.0.0.0/95").unwrap_err();
        assert!(error.contains("shorter than /96") && error.contains("0.0.0.0/8"), "{error}");
        let error = network("::ffff:192.0.2.7/120").unwrap_err();
        assert!(error.ends_with("write 192.0.2.0/24"), "{error}");
        let error = network("192.0.2.7/24").unwrap_err();
        assert!(error.ends_with("write 192.0.2.0/24"), "{error}");
    }
}
