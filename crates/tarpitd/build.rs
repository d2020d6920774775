//! Stops the build where the daemon cannot run, with one sentence instead of a hundred errors.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        println!(
            "cargo::error=tarpitd needs Linux 5.4 or later; elsewhere only its core builds: \
             cargo build -p tarpit-proto"
        );
    }
}
