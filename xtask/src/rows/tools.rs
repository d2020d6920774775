//! The tools that rows of several protocols share; a tool of one protocol stands with its rows.

use crate::client::dialect::Dialect;
use crate::client::tool::{Provider, Tool};

pub(super) static CURL: Tool = Tool::debian("curl", "curl", "curl");
pub(super) static GO: Tool = Tool::plain("Go", Provider::Go { package: "golang-go", library: "" });
pub(super) static HYDRA: Tool = Tool::debian("hydra", "hydra", "hydra").that_speaks(Dialect::Hydra);
pub(super) static MEDUSA: Tool =
    Tool::debian("medusa", "medusa", "medusa").that_speaks(Dialect::Medusa);
pub(super) static NCRACK: Tool =
    Tool::debian("ncrack", "ncrack", "ncrack").that_speaks(Dialect::Ncrack);
pub(super) static PYTHON: Tool = Tool::plain("Python", Provider::PythonItself);

/// The scripts that nmap runs by default, behind what it learns of the service first.
pub(super) const NMAP_SCRIPTS: &str = "nmap -n -Pn -sT -sV -sC -p {port} {host}";
