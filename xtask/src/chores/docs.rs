//! Writes every text that is made from the program's own tables: both pages of the manual, and the
//! tables of the documents. What real clients and benchmarks give is written by their own chores.

use anyhow::Result;

use crate::base::workspace::{Workspace, call};

/// Lets the test that compares the texts write them instead.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut test = workspace.cargo();
    test.args(["test", "--quiet", "--package", "tarpitd", "--bin", "tarpitd", "generated"]);
    call(test.env("WRITE_DOCS", "1"))
}
