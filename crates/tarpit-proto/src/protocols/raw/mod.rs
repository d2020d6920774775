//! Patterns that answer any client.

pub(crate) mod egsh_aminoas;
pub(crate) mod endless_banner;

use crate::script::Pattern;

/// All of them.
pub(crate) static PATTERNS: &[&dyn Pattern] =
    &[&egsh_aminoas::EgshAminoas, &endless_banner::EndlessBanner];
