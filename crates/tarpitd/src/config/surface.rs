//! The keys of the admin server's surfaces, and where a surface listens, as users write it:
//! `HOST:PORT` or `unix:PATH`.

use std::path::PathBuf;

use super::{
    address::Bind,
    document::{Item, Key, Unset},
    draft::{MetricsDraft, WebDraft},
    problem::Problem,
    values::{compat, group, path, socket, token},
};
use crate::settings::{AdminAddress, Control, Place, Placed};

pub(super) const METRICS: &[Key<MetricsDraft>] = &[
    Key {
        name: "bind",
        form: "string `\"HOST:PORT\"` or `\"unix:PATH\"`",
        unset: Unset::Described("no metrics are served"),
        meaning: "Where tarpitd serves `/metrics`, `/health` and `/ready` over HTTP. Those who can \
                  read them see that this is a tarpit, so keep them to this machine or a private \
                  network. A Unix socket is open to the user and the group of the daemon.",
        outdated: None,
        read: |item, metrics, notes| match SurfaceAddress::read(item) {
            Ok(address) => metrics.bind = address,
            Err(problems) => notes.problems.extend(problems),
        },
    },
    Key {
        name: "compat",
        form: "`\"none\"` or `\"endlessh-go\"`",
        unset: Unset::Is("\"none\""),
        meaning: "`endlessh-go` adds the metrics of that program, under its names, so that its \
                  dashboards show data. The answer is then always the classic text format.",
        outdated: None,
        read: |item, metrics, notes| notes.keep(&mut metrics.compat, item.parsed(compat)),
    },
    Key {
        name: "top_clients",
        form: "number of addresses, at most 500",
        unset: Unset::Is("0"),
        meaning: "With `compat`, how many addresses have series of their own: those with the most \
                  clients. Each counts from when it became one of them. `[logging] anonymize` \
                  holds for them, too.",
        outdated: None,
        read: |item, metrics, notes| {
            notes.keep(&mut metrics.top_clients, item.placed(item.cap(500)));
        },
    },
];

pub(super) const CONTROL: &[Key<Control>] = &[
    Key {
        name: "socket",
        form: "path, `\"on\"` or `\"off\"`",
        unset: Unset::Is("\"off\""),
        meaning: "Where the control socket is. `on` means `control.sock` in the first of these \
                  directories that tarpitd may write or make: `$RUNTIME_DIRECTORY`, `/run/tarpitd`, \
                  `$XDG_RUNTIME_DIR/tarpitd`. The embedded default has it on a terminal.",
        outdated: None,
        read: |item, control, notes| {
            notes.keep(
                &mut control.socket,
                item.parsed(socket).map(|path| path.map(|path| Placed::at(item.place(), path))),
            );
        },
    },
    Key {
        name: "group",
        form: "name or number of a group",
        unset: Unset::Described("none"),
        meaning: "The group whose members may use the control socket, too; its mode is 0660 then. \
                  Without it only root and the daemon's own user may use it, and its mode is 0600.",
        outdated: None,
        read: |item, control, notes| notes.keep(&mut control.group, item.parsed(group).map(Some)),
    },
];

pub(super) const WEB: &[Key<WebDraft>] = &[
    Key {
        name: "bind",
        form: "string `\"HOST:PORT\"` or `\"unix:PATH\"`",
        unset: Unset::Described("no page is served"),
        meaning: "Where tarpitd serves the page over HTTP. An address that other machines can reach \
                  needs a `token`. There is no TLS: put a web server before it, or an SSH tunnel. A \
                  Unix socket is open to the user and the group of the daemon.",
        outdated: None,
        read: |item, web, notes| match SurfaceAddress::read(item) {
            Ok(address) => web.bind = address,
            Err(problems) => notes.problems.extend(problems),
        },
    },
    Key {
        name: "token",
        form: "string of 16 to 256 letters, digits and signs",
        unset: Unset::Described("none"),
        meaning: "What readers of the page must know. A browser asks for a name and a password: any \
                  name will do, and the token is the password. Programs send it as `Authorization: \
                  Bearer TOKEN`, too. Without a token the page must be asked for by an address or as \
                  `localhost`, so that no foreign web page can read it.",
        outdated: None,
        read: |item, web, notes| {
            web.has_token = true;
            notes.keep(&mut web.token, item.placed(item.parsed(token)).map(Some));
        },
    },
];

/// Where a surface listens.
#[derive(Clone, Debug)]
pub(super) enum SurfaceAddress {
    Tcp(Bind),
    Unix(PathBuf),
}

impl SurfaceAddress {
    /// Reads an address; errors list everything that is wrong.
    pub(super) fn read(item: &Item<'_>) -> Result<Option<(Place, Self)>, Vec<Problem>> {
        let text = item.parsed(|text| Ok(text.to_owned())).map_err(|problem| vec![problem])?;
        let wrong =
            |all: Vec<String>| -> Vec<_> { all.into_iter().map(|what| item.wrong(what)).collect() };
        let address = if let Some(text) = text.strip_prefix("unix:") {
            Self::Unix(path(text).map_err(|what| vec![item.wrong(what)])?)
        } else {
            let bind = Bind::parse(&text, "\"HOST:PORT\" or \"unix:PATH\"").map_err(wrong)?;
            if bind.ports.numbers().count() > 1 {
                return Err(vec![item.wrong("one port is enough here: write HOST:PORT")]);
            }
            Self::Tcp(bind)
        };
        Ok(Some((item.place(), address)))
    }

    /// The TCP ports.
    pub(super) fn bind(&self) -> Option<&Bind> {
        match self {
            Self::Tcp(bind) => Some(bind),
            Self::Unix(_) => None,
        }
    }

    /// Each address that it stands for, written at `place`.
    pub(super) fn addresses(&self, place: &Place) -> Vec<Placed<AdminAddress>> {
        let all: Vec<_> = match self {
            Self::Tcp(bind) => bind.addresses().map(AdminAddress::Tcp).collect(),
            Self::Unix(path) => vec![AdminAddress::Unix(path.clone())],
        };
        all.into_iter().map(|address| Placed::at(place.clone(), address)).collect()
    }
}
