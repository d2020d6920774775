//! What the tools print about themselves: passwords found, guesses made, words tried.

use crate::running::job::Ending;

/// Whose way of printing it is.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Dialect {
    Dirb,
    Ffuf,
    Gobuster,
    Hydra,
    Medusa,
    Ncrack,
    /// Says with its exit status whether it got what it wanted.
    Plain,
}

/// How far a tool has come with its list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Progress {
    /// Guesses or words that were answered.
    pub(crate) done: u32,
    /// How many it has under way at a time.
    pub(crate) at_once: u32,
}

impl Dialect {
    /// The first line that claims a success, such as a password found.
    pub(crate) fn success(self, output: &str, ending: &Ending) -> Option<String> {
        let claims = |line: &&str| match self {
            Self::Dirb => line.starts_with("+ ") && line.contains("CODE:2"),
            Self::Ffuf => line.contains("[Status: 2"),
            Self::Gobuster => line.contains("(Status: 2"),
            Self::Hydra => line.starts_with('[') && line.contains("] host: "),
            Self::Medusa => line.starts_with("ACCOUNT FOUND:") && line.contains("[SUCCESS"),
            Self::Ncrack => line.starts_with("Discovered credentials"),
            Self::Plain => false,
        };
        if let Some(line) = lines(output).find(claims) {
            return Some(line.to_owned());
        }
        match ending {
            Ending::Left(status) if self == Self::Plain && status.success() => {
                Some("it left with success".to_owned())
            }
            _ => None,
        }
    }

    /// What tells that it gave up on its target.
    pub(crate) fn abort(self, output: &str, ending: &Ending) -> Option<String> {
        let gives_up = |line: &&str| match self {
            Self::Dirb => line.contains("FATAL") || line.contains("Too many errors"),
            Self::Ffuf => line.contains("Errors: ") && !line.contains("Errors: 0 "),
            Self::Gobuster => line.contains("Error: ") || line.contains("[ERROR]"),
            Self::Hydra => line.contains("[ERROR]"),
            Self::Medusa => line.starts_with("ERROR") || line.starts_with("NOTICE"),
            Self::Ncrack | Self::Plain => false,
        };
        if let Some(line) = lines(output).find(gives_up) {
            return Some(line.to_owned());
        }
        match ending {
            Ending::Left(status) if !status.success() => Some(format!("it left with {status}")),
            _ => None,
        }
    }

    /// How far it says that it has come; None when it does not tell.
    pub(crate) fn progress(self, output: &str, ending: &Ending) -> Option<Progress> {
        let ended = matches!(ending, Ending::Left(_));
        // Of the begun ones, those that are under way have no answer yet.
        let answered = |begun: usize, at_once: u32| {
            let begun = u32::try_from(begun).unwrap_or(u32::MAX);
            let done = if ended { begun } else { begun.saturating_sub(at_once) };
            Progress { done, at_once }
        };
        let begun = |mark: &str| lines(output).filter(|line| line.starts_with(mark)).count();
        match self {
            Self::Dirb => Some(answered(begun("--> Testing: "), 1)),
            Self::Ffuf => {
                let at_once = number_after(output, ":: Threads")?;
                // The last one is the farthest.
                let (_, last) = output.rsplit_once("Progress: [")?;
                Some(Progress { done: leading_number(last)?, at_once })
            }
            Self::Gobuster => {
                let at_once = number_after(output, "[+] Threads:")?;
                let done = output.rsplit_once("Progress: ").map_or("0", |(_, last)| last);
                Some(Progress { done: leading_number(done)?, at_once })
            }
            Self::Hydra => {
                let at_once = number_after(output, "[DATA] max ")?;
                Some(answered(begun("[ATTEMPT]"), at_once))
            }
            Self::Medusa => Some(answered(begun("ACCOUNT CHECK:"), 1)),
            Self::Ncrack | Self::Plain => None,
        }
    }
}

/// The lines as a terminal shows them: a carriage return begins a line anew.
fn lines(output: &str) -> impl Iterator<Item = &str> {
    output.split(['\n', '\r']).map(|line| line.trim_start_matches("\u{1b}[2K").trim_end())
}

/// The number that follows `mark`, whatever spaces and colons stand between.
fn number_after(output: &str, mark: &str) -> Option<u32> {
    let (_, rest) = output.split_once(mark)?;
    leading_number(rest.trim_start_matches([' ', ':', '\t']))
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn left(code: i32) -> Ending {
        Ending::Left(ExitStatus::from_raw(code << 8))
    }

    const HYDRA: &str = "\
        [DATA] max 2 tasks per 1 server, overall 2 tasks, 7 login tries (l:1/p:7), ~4 tries\n\
        [DATA] attacking http-get://127.0.0.1:18401/\n\
        [ATTEMPT] target 127.0.0.1 - login \"admin\" - pass \"admin\" - 1 of 7 [child 0] (0/0)\n\
        [ATTEMPT] target 127.0.0.1 - login \"admin\" - pass \"password\" - 2 of 7 [child 1] (0/0)\n\
        [ATTEMPT] target 127.0.0.1 - login \"admin\" - pass \"root\" - 3 of 7 [child 0] (0/0)\n";

    #[test]
    fn hydras_guesses_are_those_begun_less_those_under_way() {
        let progress = |ending| Dialect::Hydra.progress(HYDRA, ending).unwrap();
        assert_eq!(progress(&Ending::Capped), Progress { done: 1, at_once: 2 });
        assert_eq!(progress(&left(0)), Progress { done: 3, at_once: 2 });
        assert_eq!(Dialect::Hydra.success(HYDRA, &left(0)), None);
        assert_eq!(Dialect::Hydra.abort(HYDRA, &left(0)), None);
    }

    #[test]
    fn each_guessers_find_is_a_success() {
        let hydra = "[18200][http-get] host: 127.0.0.1   login: admin   password: admin\n";
        let medusa = "ACCOUNT CHECK: [http] Host: 127.0.0.1 (1 of 1, 0 complete) User: admin\n\
             ACCOUNT FOUND: [http] Host: 127.0.0.1 User: admin Password: admin [SUCCESS]\n";
        let ncrack = "\nDiscovered credentials for ssh on 127.0.0.1 22/tcp:\n";
        for (dialect, output) in
            [(Dialect::Hydra, hydra), (Dialect::Medusa, medusa), (Dialect::Ncrack, ncrack)]
        {
            assert!(dialect.success(output, &Ending::Capped).is_some(), "{output}");
            assert!(dialect.success("nothing here\n", &left(0)).is_none());
        }
    }

    #[test]
    fn a_plain_client_says_success_with_its_exit_status() {
        assert!(Dialect::Plain.success("", &left(0)).is_some());
        assert!(Dialect::Plain.success("", &left(1)).is_none());
        assert!(Dialect::Plain.success("", &Ending::Capped).is_none());
    }

    #[test]
    fn medusas_guess_under_way_has_no_answer_yet() {
        let output = "ACCOUNT CHECK: [http] Host: 127.0.0.1 Password: a (1 of 7 complete)\n\
             ACCOUNT CHECK: [http] Host: 127.0.0.1 Password: b (2 of 7 complete)\n";
        let progress = Dialect::Medusa.progress(output, &Ending::Capped);
        assert_eq!(progress, Some(Progress { done: 1, at_once: 1 }));
    }

    #[test]
    fn gobusters_and_ffufs_last_line_of_progress_counts() {
        let gobuster = "[+] Threads:                 10\n\rProgress: 7 / 51 (13.73%)\
             \u{1b}[2K\rProgress: 30 / 51 (58.82%)";
        let progress = Dialect::Gobuster.progress(gobuster, &Ending::Capped);
        assert_eq!(progress, Some(Progress { done: 30, at_once: 10 }));
        let ffuf = " :: Threads          : 40\n\r\u{1b}[2K:: Progress: [1/50] :: Job [1/1] :: \
             Errors: 0 ::\r\u{1b}[2K:: Progress: [49/50] :: Job [1/1] :: 24 req/sec :: Errors: 0 ::";
        let progress = Dialect::Ffuf.progress(ffuf, &Ending::Capped);
        assert_eq!(progress, Some(Progress { done: 49, at_once: 40 }));
        assert_eq!(Dialect::Ffuf.abort(ffuf, &left(0)), None);
    }

    #[test]
    fn a_finder_that_gives_up_says_so() {
        let gobuster = "\nError: error on running gobuster: unable to connect to \
             http://127.0.0.1:1/: context deadline exceeded\n";
        assert!(Dialect::Gobuster.abort(gobuster, &left(1)).is_some());
        let ffuf = "\r\u{1b}[2K:: Progress: [50/50] :: Job [1/1] :: 2 req/sec :: Errors: 40 ::";
        assert!(Dialect::Ffuf.abort(ffuf, &left(0)).is_some());
        assert!(Dialect::Dirb.abort("(!) FATAL: Too many errors connecting\n", &left(0)).is_some());
        assert!(Dialect::Dirb.abort("", &left(255)).is_some());
    }

    #[test]
    fn dirb_says_each_word_before_it_asks_for_it() {
        let output = "\r--> Testing: http://127.0.0.1:1/a\r   \r--> Testing: http://127.0.0.1:1/b";
        let progress = Dialect::Dirb.progress(output, &Ending::Capped);
        assert_eq!(progress, Some(Progress { done: 1, at_once: 1 }));
    }
}
