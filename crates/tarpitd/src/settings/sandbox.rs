//! How far the daemon confines itself.

/// What the daemon does where the system cannot confine it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SandboxMode {
    /// Nothing is confined.
    Off,
    /// What the system cannot do is left out, with a warning.
    #[default]
    On,
    /// It does not start.
    Require,
}

impl SandboxMode {
    /// Every mode.
    pub(crate) const ALL: [Self; 3] = [Self::Off, Self::On, Self::Require];

    /// The name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Require => "require",
        }
    }
}
