//! The keys of `[sandbox]`.

use super::document::{Key, Unset};
use crate::settings::{Placed, SandboxMode};

pub(super) const SANDBOX: &[Key<Placed<SandboxMode>>] = &[Key {
    name: "mode",
    form: "`\"on\"`, `\"require\"` or `\"off\"`",
    unset: Unset::Is("\"on\""),
    meaning: "`on` confines the daemon as far as the kernel can, and warns once of what the kernel \
              lacks. With `require` the daemon does not start where anything is lacking. `off` \
              confines nothing.",
    outdated: None,
    read: |item, mode, notes| notes.keep(mode, item.placed(item.parsed(sandbox_mode))),
}];

/// A mode by its name.
fn sandbox_mode(text: &str) -> Result<SandboxMode, String> {
    SandboxMode::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
        let text = text.escape_debug();
        format!("there is no mode `{text}`: write `on`, `require` or `off`")
    })
}
