//! A page as a real browser has it.

use std::process::Command;

use crate::daemon::Directory;

/// What a client types wherever something may be typed; it would act as HTML, in an attribute, and
/// at the end of a script.
pub(crate) const TRAP: &str = "<script>document.title='caught'</script>\"'&<img/src=x>";

/// The page in its state after two seconds, as text; the browser complained of nothing.
#[track_caller]
pub(crate) fn shown_by_browser(directory: &Directory, url: &str) -> String {
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--enable-logging=stderr", "--timeout=2000"])
        .arg(format!("--user-data-dir={}", directory.path("chromium")))
        .args(["--dump-dom", url])
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains(":CONSOLE"), "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
