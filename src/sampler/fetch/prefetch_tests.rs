//! Tests of fetching ahead, over a memory that counts system calls.

use std::cell::Cell;

use super::*;
use crate::cpython::memory::fake::FakeMemory;

/// A memory that counts system calls, and whose roots may change during one.
struct Counting {
    fake: FakeMemory,
    calls: Cell<u32>,
}

impl Memory for Counting {
    fn read_into(&self, address: u64, buffer: &mut [u8]) -> Result<(), Fault> {
        self.calls.set(self.calls.get() + 1);
        self.fake.read_into(address, buffer)
    }

    fn read_spans(&self, spans: &[Span], buffer: &mut [u8]) -> Result<usize, Fault> {
        self.calls.set(self.calls.get() + 1);
        self.fake.read_spans(spans, buffer)
    }
}

fn memory() -> Counting {
    let mut fake = FakeMemory::new();
    fake.write(0x1000, &[1; 0x1000]);
    fake.write(0x8000, &[2; 0x1000]);
    fake.write(0x20000, &[3; 0x1000]);
    Counting { fake, calls: Cell::new(0) }
}

/// Reads a root and two far places, as a walk would.
fn walk<M: Memory>(prefetch: &Prefetch<M>) -> [u8; 4] {
    [
        prefetch.roots(Side::Before).read(0x1008).expect("mapped"),
        prefetch.frames().read(0x8010).expect("mapped"),
        prefetch.body().read(0x20020).expect("mapped"),
        prefetch.roots(Side::After).read(0x1008).expect("mapped"),
    ]
}

#[test]
fn the_second_walk_costs_one_call() {
    let prefetch = Prefetch::new(memory());
    prefetch.fetch().expect("there is nothing to fetch");
    assert_eq!(walk(&prefetch), [1, 2, 3, 1]);
    assert!(prefetch.misses() > 0);
    let before = prefetch.direct().calls.get();
    prefetch.fetch().expect("everything is mapped");
    assert_eq!(walk(&prefetch), [1, 2, 3, 1]);
    assert_eq!(prefetch.misses(), 0);
    assert_eq!(prefetch.direct().calls.get(), before + 1);
}

#[test]
fn frames_alone_lie_between_the_roots_and_are_fetched_again() {
    let prefetch = Prefetch::new(memory());
    walk(&prefetch);
    prefetch.fetch().expect("everything is mapped");
    let state = prefetch.state.borrow();
    let order: Vec<u64> = state.spans.iter().map(|span| span.address).collect();
    assert_eq!(order, [0x20000, 0x1008, 0x8000, 0x1008, 0x8000]);
}

#[test]
fn frames_to_which_hardly_a_walk_comes_are_fetched_last() {
    let prefetch = Prefetch::new(memory());
    let frame = |address| prefetch.frames().read::<u8>(address).expect("mapped");
    let order = || {
        let spans = &prefetch.state.borrow().spans;
        spans.iter().map(|span| span.address).collect::<Vec<u64>>()
    };
    walk(&prefetch);
    frame(0x1800);
    for _ in 0..FORGET_AFTER {
        prefetch.fetch().expect("everything is mapped");
        walk(&prefetch);
        // What has not changed is compared, and not walked.
        prefetch.same_at([0x1800].into_iter(), 1);
    }
    assert_eq!(order(), [0x20000, 0x1008, 0x8000, 0x1008, 0x8000, 0x1800]);
    for _ in 0..=SOME_WALKS {
        frame(0x1800);
    }
    for _ in 0..FORGET_AFTER {
        prefetch.fetch().expect("everything is mapped");
        walk(&prefetch);
        frame(0x1800);
    }
    assert_eq!(order(), [0x20000, 0x1008, 0x1800, 0x8000, 0x1008, 0x1800, 0x8000]);
}

#[test]
fn a_root_from_which_hardly_a_walk_begins_is_fetched_once() {
    let prefetch = Prefetch::new(memory());
    let copies = || {
        let spans = &prefetch.state.borrow().spans;
        spans.iter().filter(|span| span.address == 0x1008).count()
    };
    let mut footprint = Footprint::default();
    let mut walks = 0;
    for fetch in 0..2 * FORGET_AFTER {
        prefetch.fetch().expect("everything is mapped");
        if !prefetch.is_unchanged(&mut footprint) {
            prefetch.watch();
            walk(&prefetch);
            prefetch.footprint(&mut footprint);
            walks += 1;
        }
        assert_eq!(
            copies(),
            [2, 1][usize::from(fetch + 1 >= FORGET_AFTER)] * usize::from(fetch > 0)
        );
    }
    assert!(walks <= 6, "{walks}");
    // Walks that begin there again are served at once, and soon by the fetch.
    for _ in 0..=FEW_WALKS {
        assert_eq!(walk(&prefetch), [1, 2, 3, 1]);
    }
    prefetch.fetch().expect("everything is mapped");
    assert_eq!(copies(), 2);
}

#[test]
fn a_snapshot_does_not_follow_the_process() {
    let mut prefetch = Prefetch::new(memory());
    walk(&prefetch);
    prefetch.fetch().expect("everything is mapped");
    prefetch.inner.fake.write(0x8000, &[9; 0x100]);
    assert_eq!(walk(&prefetch), [1, 2, 3, 1]);
    prefetch.fetch().expect("everything is mapped");
    assert_eq!(walk(&prefetch), [1, 9, 3, 1]);
}

#[test]
fn one_unreadable_span_does_not_cost_the_others() {
    let mut prefetch = Prefetch::new(memory());
    walk(&prefetch);
    prefetch.fetch().expect("everything is mapped");
    let mut fake = FakeMemory::new();
    fake.write(0x1000, &[4; 0x1000]);
    fake.write(0x20000, &[5; 0x1000]);
    prefetch.inner.fake = fake;
    prefetch.fetch().expect("the rest is mapped");
    assert_eq!(prefetch.roots(Side::Before).read::<u8>(0x1008), Ok(4));
    assert_eq!(prefetch.body().read::<u8>(0x20020), Ok(5));
    assert_eq!(prefetch.misses(), 0);
    assert!(prefetch.body().read::<u8>(0x8010).is_err());
}

#[test]
fn a_footprint_tells_what_has_changed() {
    let mut prefetch = Prefetch::new(memory());
    let mut footprint = Footprint::default();
    walk(&prefetch);
    prefetch.fetch().expect("everything is mapped");
    assert!(!prefetch.is_unchanged(&mut footprint), "nothing has been read");
    prefetch.watch();
    walk(&prefetch);
    prefetch.footprint(&mut footprint);
    prefetch.fetch().expect("everything is mapped");
    assert!(prefetch.is_unchanged(&mut footprint));
    prefetch.inner.fake.write(0x20010, &[7]);
    prefetch.fetch().expect("everything is mapped");
    assert!(!prefetch.is_unchanged(&mut footprint));
    // The same as the fetch before, but not as what was walked.
    prefetch.fetch().expect("everything is mapped");
    assert!(!prefetch.is_unchanged(&mut footprint));
}

#[test]
fn what_is_not_used_any_more_is_forgotten() {
    let prefetch = Prefetch::new(memory());
    walk(&prefetch);
    for _ in 0..3 * FORGET_AFTER {
        prefetch.fetch().expect("everything is mapped");
        prefetch.body().read::<u8>(0x8010).expect("mapped");
    }
    let state = prefetch.state.borrow();
    assert_eq!(state.body.len(), 1);
    assert!(state.roots.is_empty());
}

#[test]
fn near_spans_become_one_and_far_ones_do_not() {
    let span = |address| PlannedSpan::missed(Span { address, length: 16 }, 0);
    let mut spans = Vec::new();
    let mut missed = vec![span(0x5000), span(0x1000), span(0x1100), span(0x1008)];
    merge(&mut spans, &mut missed, 0, MERGE_GAP);
    let merged: Vec<Span> = spans.iter().map(|planned| planned.span).collect();
    let (near, far) = ((0x1000, 0x110), (0x5000, 16));
    assert_eq!(merged, [near, far].map(|(address, length)| Span { address, length }));
}

#[test]
fn a_read_at_the_end_of_the_address_space_is_a_fault() {
    let prefetch = Prefetch::new(memory());
    assert!(prefetch.body().read::<u64>(u64::MAX - 3).is_err());
    prefetch.fetch().expect("nothing is planned");
}

#[test]
fn a_spare_root_is_fetched_while_it_is_asked_for_often() {
    let prefetch = Prefetch::new(memory());
    let is_fetched = || prefetch.state.borrow().spans.iter().any(|span| span.address == 0x2000 - 8);
    let ask = || prefetch.spare_roots(Side::Before).read::<u64>(0x2000 - 8).expect("mapped");
    let fetch = |times: u32, is_asked_each: bool| {
        for _ in 0..times {
            prefetch.fetch().expect("everything is mapped");
            prefetch.body().read::<u8>(0x8010).expect("mapped");
            if is_asked_each {
                ask();
            }
        }
    };
    ask();
    fetch(4 * SPARE_AFTER, true);
    assert!(is_fetched());
    fetch(2 * SPARE_AFTER, false);
    assert!(!is_fetched());
    ask();
    assert_eq!(prefetch.misses(), 1);
    fetch(1, true);
    assert_eq!(prefetch.misses(), 0, "the next fetch has it");
    fetch(2 * SPARE_AFTER, false);
    assert!(!is_fetched());
}

#[test]
fn roots_that_come_and_go_do_not_make_frames_incomparable() {
    let mut prefetch = Prefetch::new(memory());
    let places = [0x8010, 0x8020];
    let same = |prefetch: &Prefetch<Counting>| {
        prefetch.fetch().expect("everything is mapped");
        prefetch.same_at(places.into_iter(), 8)
    };
    walk(&prefetch);
    assert_eq!([same(&prefetch), same(&prefetch)], [0, 2]);
    prefetch.spare_roots(Side::Before).read::<u64>(0x1100).expect("mapped");
    assert_eq!(same(&prefetch), 2);
    prefetch.spare_roots(Side::Before).read::<u64>(0x1200).expect("mapped");
    prefetch.inner.fake.write(0x8020, &[9]);
    assert_eq!(same(&prefetch), 1);
    prefetch.frames().read::<u64>(0x20800).expect("mapped");
    assert_eq!(same(&prefetch), 0, "another body");
}

/// A memory of so many bytes at an address, and a walk that reads one byte of each 4 KiB there.
fn far_walk<M: Memory>(prefetch: &Prefetch<M>, start: u64, length: usize) {
    for page in 0..length as u64 / 0x1000 {
        // So far apart that nothing between two of them is fetched.
        prefetch.frames().read::<u8>(start + page * 0x1000).expect("mapped");
    }
}

#[test]
fn what_one_walk_needs_is_fetched_however_much_other_walks_had_needed() {
    // A page gives 256 bytes to the fetch: each walk needs three quarters of what may be.
    let length = MAX_BYTES / ROUNDING as usize / 4 * 3 * 0x1000;
    let starts = [0x1_0000_0000, 0x2_0000_0000];
    let mut fake = FakeMemory::new();
    starts.iter().for_each(|start| fake.write(*start, &vec![1; length]));
    let prefetch = Prefetch::new(Counting { fake, calls: Cell::new(0) });
    for start in starts.iter().chain(&starts) {
        prefetch.fetch().expect("everything is mapped");
        far_walk(&prefetch, *start, length);
        prefetch.fetch().expect("everything is mapped");
        far_walk(&prefetch, *start, length);
        assert_eq!(prefetch.misses(), 0, "the second walk finds everything");
        assert!(prefetch.state.borrow().bytes.len() <= 2 * MAX_BYTES);
    }
}

#[test]
fn a_walk_that_needs_more_than_may_be_fetched_finds_it_all_the_same() {
    let length = 2 * MAX_BYTES / ROUNDING as usize * 0x1000;
    let mut fake = FakeMemory::new();
    fake.write(0x1_0000_0000, &vec![1; length]);
    let prefetch = Prefetch::new(Counting { fake, calls: Cell::new(0) });
    for _ in 0..4 {
        prefetch.fetch().expect("everything is mapped");
        far_walk(&prefetch, 0x1_0000_0000, length);
        assert!(prefetch.misses() > 0, "and says that it was not fetched");
        assert!(prefetch.state.borrow().bytes.len() <= MAX_BYTES);
    }
}

#[test]
fn frames_that_change_between_their_two_copies_are_not_steady() {
    let prefetch = Prefetch::new(memory());
    walk(&prefetch);
    prefetch.fetch().expect("everything is mapped");
    let are_steady = |address| prefetch.are_steady([address].into_iter(), 1);
    assert!(are_steady(0x8000));
    assert!(!are_steady(0x9_0000), "nothing was fetched there");
    let state = &mut *prefetch.state.borrow_mut();
    let frames = state.body.iter().find(|planned| planned.span.address == 0x8000);
    let second = frames.and_then(|frames| frames.second).expect("it was fetched twice");
    state.bytes[second] ^= 1;
    assert!(!state.is_steady(0x8000, 1));
}
