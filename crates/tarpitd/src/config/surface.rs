//! Where a surface of the admin server listens, as users write it: `HOST:PORT` or `unix:PATH`.

use std::path::PathBuf;

use super::{address::Bind, document::Item, problem::Problem, values::path};
use crate::settings::{AdminAddress, Place, Placed};

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
