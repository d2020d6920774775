//! What a chore closes with: how many passed and how many failed.

/// How many passed and how many did not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Score {
    /// Those that passed.
    pub(crate) passed: usize,
    /// Those that did not.
    pub(crate) failed: usize,
}

impl Score {
    /// One that passed, or one that did not.
    pub(crate) fn of(passed: bool) -> Self {
        let mut score = Self::default();
        score.count(passed);
        score
    }

    /// Counts those of `other` too.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts one more.
    pub(crate) fn count(&mut self, passed: bool) {
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}
