//! States are packed, saved and read again.

use alloc::vec;

use super::*;

states! {
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    enum Color {
        #[default]
        Blue,
        Green,
        Red,
    }

    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Both {
        color: Color,
        number: u16,
    }

    #[derive(Debug, PartialEq)]
    boxed struct Long {
        text: Vec<u8>,
        place: Option<u32>,
    }

    #[derive(Debug, Default, PartialEq)]
    enum State {
        #[default]
        Idle,
        Busy { both: Both, is_last: bool, more: Option<u8> },
        Heavy { color: Color, long: Box<Long> },
        Full { one: u64, other: u16 },
    }
}

fn all() -> Vec<State> {
    let both = Both { color: Color::Red, number: 60_000 };
    let long = Box::new(Long { text: vec![1, 2, 3], place: Some(9) });
    vec![
        State::Idle,
        State::Busy { both, is_last: true, more: Some(200) },
        State::Busy { both, is_last: false, more: None },
        State::Heavy { color: Color::Green, long },
        State::Full { one: u64::MAX, other: 7 },
    ]
}

#[test]
fn a_state_takes_as_many_bits_as_it_needs() {
    assert_eq!((Color::BITS, Both::BITS, State::BITS), (2, 18, 2 + 80));
    assert_eq!((bits_for(1), bits_for(2), bits_for(3), bits_for(4), bits_for(5)), (0, 1, 2, 2, 3));
}

#[test]
fn a_state_is_packed_and_unpacked() {
    for (state, wanted) in all().into_iter().zip(all()) {
        let mut run = Run::of(state);
        assert_eq!(run.copy().is_none(), matches!(wanted, State::Heavy { .. }));
        assert_eq!(run.take::<State>(), wanted);
    }
}

#[test]
fn a_state_is_saved_and_loaded_and_nothing_else_is() {
    for state in all() {
        let mut saved = Vec::new();
        state.save(&mut saved);
        let mut rest = &saved[..];
        assert_eq!(State::load(&mut rest), Some(state));
        assert!(rest.is_empty());
        for end in 0..saved.len() {
            assert_eq!(State::load(&mut &saved[..end]), None);
        }
    }
    assert_eq!(State::load(&mut &b"\x04Lost"[..]), None);
}

#[test]
fn another_definition_has_another_layout() {
    states! {
        #[derive(Debug)]
        enum Colour { Blue, Green }
    }
    assert_ne!(Colour::LAYOUT, Color::LAYOUT);
    assert_ne!(u16::LAYOUT, u32::LAYOUT);
    assert_ne!(Option::<u16>::LAYOUT, u16::LAYOUT);
}

#[test]
fn the_order_of_variants_may_change_and_their_fields_may_not() {
    mod later {
        states! {
            #[derive(Debug, PartialEq)]
            pub(super) enum Color { Red, Green, Blue }
        }
    }
    states! {
        #[derive(Debug)]
        enum One { First { number: u16 }, Second }
        #[derive(Debug)]
        enum Other { First, Second { number: u16 } }
    }
    assert_eq!(later::Color::LAYOUT, Color::LAYOUT);
    let mut saved = Vec::new();
    Color::Red.save(&mut saved);
    assert_eq!(later::Color::load(&mut &saved[..]), Some(later::Color::Red));
    assert_ne!(One::LAYOUT, Other::LAYOUT);
}

#[test]
fn moments_are_told_by_the_new_clock_wherever_they_stand() {
    states! {
        #[derive(Debug, PartialEq)]
        boxed struct Plan { due: Option<Time>, dues: Vec<Time> }
        #[derive(Debug, PartialEq)]
        boxed enum Wait { Idle, Until { due: Time }, Planned { plan: Box<Plan> } }
    }
    let (early, late) = (Time::from_millis(100), Time::from_millis(900));
    let change = ClockChange { before: early, now: late };
    let mut waits = [
        Wait::Idle,
        Wait::Until { due: early },
        Wait::Planned { plan: Box::new(Plan { due: Some(early), dues: vec![early; 2] }) },
    ];
    for wait in &mut waits {
        wait.change_clock(change);
    }
    assert_eq!(waits[1], Wait::Until { due: late });
    let plan = Box::new(Plan { due: Some(late), dues: vec![late; 2] });
    assert_eq!((&waits[0], &waits[2]), (&Wait::Idle, &Wait::Planned { plan }));
}

#[test]
fn a_part_that_stays_packed_is_the_same_part() {
    let both = Both { color: Color::Red, number: 60_000 };
    let packed = Packed::of(both);
    assert_eq!((packed.get(), Packed::<Both>::BITS), (both, Both::BITS));
    let mut run = Run::of(packed);
    assert_eq!(run.take::<Packed<Both>>(), packed);
    let mut saved = Vec::new();
    packed.save(&mut saved);
    assert_eq!(Both::load(&mut &saved[..]), Some(both));
    assert_eq!(Packed::load(&mut &saved[..]), Some(packed));
    assert_eq!(Packed::<Both>::LAYOUT, Both::LAYOUT);
}

#[test]
fn a_state_is_called_by_its_variant_or_by_that_of_its_first_part() {
    let names: Vec<_> = all().iter().map(Saved::name).collect();
    assert_eq!(names, ["Idle", "Busy", "Busy", "Heavy", "Full"]);
    let both = Both { color: Color::Red, number: 0 };
    assert_eq!((both.name(), Packed::of(both).name(), Some(both).name()), ("Red", "Red", "Red"));
    assert_eq!((7_u8.name(), None::<Both>.name()), ("", ""));
}

#[test]
fn boxes_are_counted_where_a_state_has_them() {
    assert_eq!((Color::BOXES, Both::BOXES, State::BOXES), (0, 0, 1));
    states! {
        #[derive(Debug)]
        struct Two { one: Box<Long>, other: Option<Box<Long>> }
    }
    assert_eq!(Two::BOXES, 2);
}
