//! What the live view shows, and what keys do to it.

use std::collections::VecDeque;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::watch::{Snapshot, Wanted};
use crate::admin::control::whom;

/// How many moments of the sparkline are kept.
const HISTORY: usize = 512;

/// The longest filter: an IPv6 network is shorter.
const LONGEST: usize = 64;

/// The orders of the list, with what each is called on the screen.
const ORDERS: [(&str, &str); 4] = [
    ("oldest", "longest held"),
    ("newest", "newest first"),
    ("sent", "most bytes sent"),
    ("received", "most bytes received"),
];

/// The live view.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) snapshot: Option<Snapshot>,
    /// How many were held, the latest last.
    pub(super) history: VecDeque<u64>,
    /// The place in [`ORDERS`].
    order: usize,
    pub(super) filter: String,
    pub(super) is_paused: bool,
    /// The line of the chosen client.
    pub(super) chosen: usize,
    pub(super) mode: Mode,
    /// What came of the last command.
    pub(super) note: String,
}

/// What the next key means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Whether to drop: a session, and its client's address.
    Confirming { session: String, client: String },
    /// A filter is typed.
    Filtering { text: String },
    #[default]
    Watching,
}

/// What is to be done after a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Todo {
    /// Ask for something else.
    Ask,
    /// Drop these clients.
    Drop(String),
    End,
    Nothing,
}

impl View {
    /// Takes how the daemon is now; says whether the screen changes.
    pub(super) fn take(&mut self, snapshot: Snapshot) -> bool {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(snapshot.status.total.held);
        if self.is_paused {
            return false;
        }
        self.chosen = self.chosen.min(snapshot.clients.len().saturating_sub(1));
        self.snapshot = Some(snapshot);
        true
    }

    /// So many clients were dropped.
    pub(super) fn dropped(&mut self, clients: u64) {
        self.note = format!("{clients} dropped");
    }

    /// Obeys a key.
    pub(super) fn obey(&mut self, key: KeyEvent) -> Todo {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Todo::End;
        }
        self.note.clear();
        match std::mem::take(&mut self.mode) {
            Mode::Confirming { session, .. } => match key.code {
                KeyCode::Char('y' | 'Y') => Todo::Drop(session),
                _ => Todo::Nothing,
            },
            Mode::Filtering { text } => self.type_filter(text, key.code),
            Mode::Watching => self.command(key.code),
        }
    }

    fn command(&mut self, key: KeyCode) -> Todo {
        match key {
            KeyCode::Char('q') => return Todo::End,
            KeyCode::Char('s') => {
                self.order = (self.order + 1) % ORDERS.len();
                self.is_paused = false;
                return Todo::Ask;
            }
            KeyCode::Char('f' | '/') => self.mode = Mode::Filtering { text: self.filter.clone() },
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('d') => {
                if let Some(client) =
                    self.snapshot.as_ref().and_then(|it| it.clients.get(self.chosen))
                {
                    self.mode = Mode::Confirming {
                        session: client.session.clone(),
                        client: client.client.to_string(),
                    };
                }
            }
            KeyCode::Up | KeyCode::Char('k') => self.chosen = self.chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => {
                let clients = self.snapshot.as_ref().map_or(0, |it| it.clients.len());
                self.chosen = (self.chosen + 1).min(clients.saturating_sub(1));
            }
            KeyCode::Home => self.chosen = 0,
            _ => {}
        }
        Todo::Nothing
    }

    fn type_filter(&mut self, mut text: String, key: KeyCode) -> Todo {
        match key {
            KeyCode::Enter if !text.is_empty() && whom(&text).is_err() => {
                "this is neither an address nor a network".clone_into(&mut self.note);
            }
            KeyCode::Enter => {
                self.filter = text;
                self.chosen = 0;
                self.is_paused = false;
                return Todo::Ask;
            }
            KeyCode::Esc => return Todo::Nothing,
            KeyCode::Backspace => {
                text.pop();
            }
            KeyCode::Char(letter) if letter.is_ascii_graphic() && text.len() < LONGEST => {
                text.push(letter);
            }
            _ => {}
        }
        self.mode = Mode::Filtering { text };
        Todo::Nothing
    }

    /// What is to be asked for.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted { order: ORDERS[self.order].0, filter: self.filter.clone() }
    }

    /// What the order is called.
    pub(super) fn order(&self) -> &'static str {
        ORDERS[self.order].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(view: &mut View, text: &str) -> Vec<Todo> {
        let key = |letter| match letter {
            '\n' => KeyCode::Enter,
            letter => KeyCode::Char(letter),
        };
        text.chars().map(|letter| view.obey(KeyEvent::from(key(letter)))).collect()
    }

    #[test]
    fn a_filter_is_typed_and_refused_unless_it_is_an_address_or_a_network() {
        let mut view = View::default();
        assert_eq!(press(&mut view, "/nonsense\n").last(), Some(&Todo::Nothing));
        assert!(view.note.contains("neither"), "{}", view.note);
        view.obey(KeyEvent::from(KeyCode::Esc));
        assert_eq!(press(&mut view, "/192.0.2.0/24\n").last(), Some(&Todo::Ask));
        assert_eq!(view.wanted().filter, "192.0.2.0/24");
        // While a filter is typed, letters are no commands.
        assert_eq!(press(&mut view, "/q"), [Todo::Nothing, Todo::Nothing]);
    }

    #[test]
    fn only_yes_drops() {
        for (key, wanted) in
            [('y', Todo::Drop("7".into())), ('n', Todo::Nothing), ('q', Todo::Nothing)]
        {
            let mode = Mode::Confirming { session: "7".into(), client: "x".into() };
            let mut view = View { mode, ..View::default() };
            assert_eq!(view.obey(KeyEvent::from(KeyCode::Char(key))), wanted);
            assert_eq!(view.mode, Mode::Watching);
        }
        // Without a client there is nothing to drop.
        let mut view = View::default();
        press(&mut view, "d");
        assert_eq!(view.mode, Mode::Watching);
    }

    #[test]
    fn keys_sort_pause_and_end() {
        let mut view = View::default();
        assert_eq!(press(&mut view, "s"), [Todo::Ask]);
        assert_eq!(view.wanted().order, "newest");
        press(&mut view, "p");
        assert!(view.is_paused);
        assert_eq!(press(&mut view, "q"), [Todo::End]);
        let control = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.obey(control), Todo::End);
    }
}
