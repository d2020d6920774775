//! What a user probably meant by a call that is wrong.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use tarpit_proto::patterns;

/// The right command, if it is clear what the user meant.
pub(super) fn right_call(
    error: &clap::Error,
    words: &[OsString],
    definition: &clap::Command,
) -> Option<String> {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            instead_of_command(told(ContextKind::InvalidSubcommand)?, definition)
        }
        // Without -s or -c, `check` is a command; the file is its only argument.
        ErrorKind::UnknownArgument if words.get(1).is_some_and(|word| word == "check") => {
            let option = told(ContextKind::InvalidArg)?;
            let is_config = option.starts_with("-c") || option.starts_with("--config");
            let file = || {
                let last = words.get(2..)?.last()?.to_str()?;
                let (_, value) = last.split_once('=').unwrap_or(("", last));
                Some(value.strip_prefix("-c").unwrap_or(value)).filter(|it| !it.starts_with('-'))
            };
            is_config.then(|| {
                let file = file().filter(|file| !file.is_empty()).unwrap_or("FILE");
                format!("`check` takes the file without {option}: write `tarpitd check {file}`")
            })
        }
        _ => None,
    }
}

/// The right command in place of `word`, which is none.
fn instead_of_command(word: &str, definition: &clap::Command) -> Option<String> {
    let shown = word.escape_debug();
    if is_address_to_serve(word) {
        return Some(format!("an address to serve needs -s: write `tarpitd -s '{shown}'`"));
    }
    let path = Path::new(word);
    let is_option = definition.get_arguments().any(|argument| argument.get_long() == Some(word))
        || ["help", "version"].contains(&word);
    if is_option {
        return Some(format!("`{shown}` is an option: write `tarpitd --{shown}`"));
    }
    if path.is_dir() {
        return Some(format!(
            "`{shown}` is a directory: write `tarpitd -c FILE`, with a configuration in it"
        ));
    }
    if path.exists() {
        return Some(format!(
            "a configuration needs -c: write `tarpitd -c {shown}` to serve it, or \
             `tarpitd check {shown}` to see what is wrong with it"
        ));
    }
    let names_a_file = path.extension() == Some(OsStr::new("toml")) || word.contains('/');
    names_a_file.then(|| {
        format!("there is no file `{shown}`; to serve a configuration, write `tarpitd -c FILE`")
    })
}

/// Whether this is what -s takes: a pattern, a host and a port.
pub(super) fn is_address_to_serve(word: &str) -> bool {
    word.split_once(':')
        .is_some_and(|(name, address)| address.contains(':') && patterns::named(name).is_some())
}
