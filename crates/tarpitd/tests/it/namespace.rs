//! A network of a test's own, where addresses come and go as it likes.

use std::{fs::File, os::fd::AsFd as _, process::Command};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::require::require;

/// A network namespace; dropped, it is gone.
pub(crate) struct Namespace(String);

impl Namespace {
    /// None where the machine allows none.
    pub(crate) fn new(name: &str) -> Option<Self> {
        if !require("netns") {
            return None;
        }
        let namespace = Self(format!("tarpitd-it-{name}-{}", std::process::id()));
        assert!(ip(&["netns", "add", &namespace.0]), "{} is not made", namespace.0);
        Some(namespace)
    }

    /// Its name, as ip(8) knows it.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Runs ip(8) in it.
    pub(crate) fn ip(&self, words: &str) -> bool {
        ip(&[vec!["-n", &self.0], words.split(' ').collect()].concat())
    }

    /// Moves this thread, and so the children that it starts, into it.
    pub(crate) fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.0)).expect("it is there");
        let kind = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(file.as_fd(), kind).expect("we are root");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(words: &[&str]) -> bool {
    Command::new("ip").args(words).output().is_ok_and(|output| output.status.success())
}
