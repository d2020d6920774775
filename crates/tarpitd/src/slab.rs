//! Storage for many small things of one type, which is never copied to grow.

/// Things in chunks. Each keeps its index until it is removed.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Option<T>]>>,
    /// Free places, used before new ones.
    free: Vec<u32>,
    /// Places ever used.
    used: u32,
}

/// Things in one chunk: enough that a chunk's own cost does not count, few enough that little
/// memory is unused.
const CHUNK: usize = 128;

impl<T> Slab<T> {
    /// A slab that holds nothing.
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), used: 0 }
    }

    /// Puts `thing` into a free place.
    pub(crate) fn insert(&mut self, thing: T) -> u32 {
        let index = self.free.pop().unwrap_or_else(|| {
            if self.used as usize == self.chunks.len() * CHUNK {
                self.chunks.push((0..CHUNK).map(|_| None).collect());
            }
            self.used += 1;
            self.used - 1
        });
        if let Some(place) = self.place(index) {
            *place = Some(thing);
        }
        index
    }

    /// Takes the thing at `index` out.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let thing = self.place(index)?.take()?;
        self.free.push(index);
        Some(thing)
    }

    /// The thing at `index`.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.place(index)?.as_mut()
    }

    /// The thing at `index`.
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.chunks.get(index as usize / CHUNK)?.get(index as usize % CHUNK)?.as_ref()
    }

    /// Whether it holds nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.used as usize
    }

    /// How many places have ever been used: all things have an index below.
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// The indices of all things, in order.
    pub(crate) fn indices(&self) -> Vec<u32> {
        (0..self.used).filter(|&index| self.get(index).is_some()).collect()
    }

    fn place(&mut self, index: u32) -> Option<&mut Option<T>> {
        self.chunks.get_mut(index as usize / CHUNK)?.get_mut(index as usize % CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_indices_stay() {
        let mut slab = Slab::new();
        let indices: Vec<u32> = (0..1_000).map(|number| slab.insert(number)).collect();
        for &index in indices.iter().step_by(3) {
            assert_eq!(slab.remove(index), Some(index));
            assert_eq!(slab.remove(index), None);
        }
        for &index in indices.iter().skip(1).step_by(3) {
            assert_eq!(slab.get(index), Some(&index));
        }
        let before = slab.used();
        for number in 0..300 {
            slab.insert(number);
        }
        assert_eq!(slab.used(), before);
        assert!(!slab.is_empty());
        for index in slab.indices() {
            slab.remove(index);
        }
        assert!(slab.is_empty());
    }
}
