//! What the program prints when a user starts it for the first time.

use std::fmt::Write as _;

use crate::settings::Settings;

/// The tarpits, how to try each from another terminal, and how to open one to the world. `program`
/// is the command that the user types.
pub(crate) fn text(settings: &Settings, program: &str) -> String {
    let mut text = String::from(
        "tarpitd serves its built-in tarpits, which only this machine can reach.\n\
         Try one from another terminal, and watch it hang:\n\n",
    );
    let width = settings.tarpits.iter().map(|tarpit| tarpit.pattern.name().len()).max();
    for tarpit in &settings.tarpits {
        for address in tarpit.addresses() {
            let (ip, port) = (address.ip(), address.port());
            let protocol = tarpit.pattern.protocol();
            let attempt = protocol.map_or("nc {ip} {port}", |protocol| protocol.try_it);
            let attempt = attempt
                .replace("{address}", &address.to_string())
                .replace("{ip}", &ip.to_string())
                .replace("{port}", &port.to_string());
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "  {:width$}  {attempt}",
                tarpit.pattern.name(),
                width = width.unwrap_or(0)
            );
        }
    }
    if settings.control.socket.is_some() {
        // As above.
        let _ = write!(text, "\nWho is held, live, in another terminal:  {program} top\n");
    }
    if let Some((name, port)) = settings
        .tarpits
        .first()
        .and_then(|tarpit| Some((tarpit.pattern.name(), tarpit.bind.first()?.port())))
    {
        // As above.
        let _ = write!(
            text,
            "\nCtrl-C stops tarpitd. After that, open one to the world:  {program} -s \
             '{name}:*:{port}'\n\
             Which pattern for which port:  {program} patterns\n\
             The manual:                    {program} --manual\n\n"
        );
    }
    text
}
