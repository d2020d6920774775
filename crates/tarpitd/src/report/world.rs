//! The countries: their names, and their places on a map of tiles.

/// The map: rows of tiles, each of the two letters of a country or of two blanks.
pub(crate) const TILES: &str = include_str!("world.txt");

/// How many tiles a row of the map has at most.
pub(crate) const WIDTH: usize = 44;

/// A country's code and its name, a line each.
const NAMES: &str = include_str!("countries.txt");

/// A country on the map, its place counted in tiles from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) code: &'static str,
    pub(crate) column: usize,
    pub(crate) row: usize,
}

/// All countries on the map.
pub(crate) fn tiles() -> impl Iterator<Item = Tile> {
    TILES.lines().enumerate().flat_map(|(row, line)| {
        (0..line.len() / 2).filter_map(move |column| {
            let code = line.get(2 * column..2 * column + 2)?;
            (code != "  ").then_some(Tile { code, column, row })
        })
    })
}

/// The English name of the country with that code.
pub(crate) fn name(code: &str) -> Option<&'static str> {
    NAMES.lines().find_map(|line| line.strip_prefix(code)?.strip_prefix(' '))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_country_on_the_map_has_a_name_and_one_place() {
        let codes: Vec<_> = tiles().map(|tile| tile.code).collect();
        for code in &codes {
            assert!(name(code).is_some(), "{code}");
        }
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
        assert!(codes.len() > 200 && tiles().all(|tile| tile.column < WIDTH));
        let finland = tiles().find(|tile| tile.code == "FI");
        assert_eq!(finland, Some(Tile { code: "FI", column: 26, row: 2 }));
    }

    #[test]
    fn what_is_no_code_has_no_name() {
        assert_eq!(name("NO"), Some("Norway"));
        for code in ["", "N", "no", "NO ", "Norway", "ZZ"] {
            assert_eq!(name(code), None, "{code}");
        }
    }
}
