use super::*;

/// Native frames of 0x100 bytes each, from 0x1000 on.
fn frames(count: u64) -> Vec<NativeFrame> {
    let frame = |number: u64| {
        let start = 0x1000 + number * 0x100;
        NativeFrame { address: number, start, end: start + 0x100 }
    };
    (0..count).map(frame).collect()
}

fn step(frame: u64, begins: bool, is_shim: bool) -> Step {
    Step { frame: Remote::new(frame), caller: Remote::new(0), begins, is_shim }
}

/// A machine whose stack has these words at these addresses.
fn machine(words: &[(u64, u64)]) -> Machine {
    let mut stack = vec![0; 0x1000];
    for (address, word) in words {
        let at = (address - 0x1000) as usize;
        stack[at..at + 8].copy_from_slice(&word.to_ne_bytes());
    }
    let mut machine = Machine::default();
    machine.set_pointers(0, 0x1000);
    machine.add_stack(0x1000, &stack);
    machine
}

#[test]
fn shims_lie_in_the_native_frames_of_their_loops() {
    let (machine, frames) = (machine(&[]), frames(6));
    let natives = Natives { machine: &machine, frames: &frames };
    let path = [
        step(1, false, false),
        step(2, false, false),
        step(0x1180, true, true),
        step(3, false, false),
        step(0x1440, true, true),
    ];
    let expected = vec![Loop { steps: 3, native: 1 }, Loop { steps: 5, native: 4 }];
    assert_eq!(by_shims(&path, &natives), Ok(expected.clone()));
    let of_state = [&path[..], &[step(0x9000, true, true)]].concat();
    assert_eq!(by_shims(&of_state, &natives), Ok(expected), "the thread state's own");
    let rootless = [&path[..], &[step(4, false, false)]].concat();
    assert_eq!(by_shims(&rootless, &natives), Err(NativeTorn::Mismatch));
    let elsewhere = [step(0x9000, true, true), step(3, false, false), step(0x1440, true, true)];
    assert_eq!(by_shims(&elsewhere, &natives), Err(NativeTorn::Mismatch));
}

#[test]
fn a_frame_at_which_unwinding_ended_keeps_nothing() {
    let (machine, mut frames) = (machine(&[(0x1080, 11)]), frames(2));
    frames[1].end = u64::MAX;
    let natives = Natives { machine: &machine, frames: &frames };
    let path = [step(1, false, false), step(0x9000, true, true)];
    assert_eq!(by_shims(&path, &natives), Err(NativeTorn::Mismatch), "none is its loop");
    let path = [step(11, true, false)];
    let found =
        |loops: &[u64]| by_arguments(&path, &natives, |frame| loops.contains(&frame.address));
    assert_eq!(found(&[0]), Ok(vec![Loop { steps: 1, native: 0 }]));
    assert_eq!(found(&[1]), Err(NativeTorn::Mismatch));
}

#[test]
fn c_frames_lead_from_loop_to_loop() {
    // At each: its current frame, the C frame before.
    let machine = machine(&[(0x1180, 1), (0x1188, 0x1480), (0x1480, 3), (0x1488, 0x9000)]);
    let frames = frames(6);
    let natives = Natives { machine: &machine, frames: &frames };
    let path = [step(1, false, false), step(2, true, false), step(3, true, false)];
    let found = |path: &[Step], newest| by_c_frames(path, newest, (0, 8), &natives);
    let expected = vec![Loop { steps: 2, native: 1 }, Loop { steps: 3, native: 4 }];
    assert_eq!(found(&path, 0x1180), Ok(expected));
    assert_eq!(found(&path, 0x1480), Err(NativeTorn::Mismatch), "another frame is current");
    assert_eq!(found(&path, 0x9000), Err(NativeTorn::Mismatch), "it is not on the stack");
    assert_eq!(found(&path[..1], 0x1180), Err(NativeTorn::Mismatch), "no loop begins");
    assert_eq!(found(&[], 0x1180), Ok(Vec::new()));
}

#[test]
fn up_to_3_10_each_call_of_the_loop_has_its_frame() {
    let machine = machine(&[(0x1180, 11), (0x13f8, 22), (0x1508, 33)]);
    let frames = frames(6);
    let natives = Natives { machine: &machine, frames: &frames };
    let found = |path: &[Step], loops: &[u64]| {
        by_arguments(path, &natives, |frame| loops.contains(&frame.address))
    };
    let path = [11, 22, 33].map(|frame| step(frame, true, false));
    let expected = |shift: usize| {
        [(1, 1), (2, 3), (3, 5)].map(|(steps, native)| Loop { steps: steps - shift, native })
    };
    assert_eq!(found(&path, &[1, 3, 5]), Ok(expected(0).to_vec()));
    assert_eq!(found(&path, &[0, 1, 3, 5]), Ok(expected(0).to_vec()), "the next is called");
    assert_eq!(found(&path, &[0, 1, 2, 3, 5]), Err(NativeTorn::Mismatch), "there are two more");
    assert_eq!(found(&path, &[1, 3]), Err(NativeTorn::Mismatch));
    assert_eq!(found(&path, &[1, 2, 5]), Err(NativeTorn::Mismatch), "the second does not hold it");
    let others = [11, 33, 22].map(|frame| step(frame, true, false));
    assert_eq!(found(&others, &[1, 3, 5]), Err(NativeTorn::Mismatch));
    assert_eq!(found(&[], &[0]), Ok(Vec::new()), "a thread's first call");
    // What the next loop saved of the registers of this one.
    let saved = [11, 22, 33].map(|frame| step(frame, true, false));
    assert_eq!(found(&saved, &[1, 4, 5]).map(|loops| loops.len()), Ok(3));
}

#[test]
fn native_frames_stand_around_the_steps_of_their_loops() {
    use Part::{Native, Python};
    let loops = [Loop { steps: 2, native: 1 }, Loop { steps: 3, native: 4 }];
    let expected = [
        Native(0),
        Python(0),
        Python(1),
        Native(1),
        Native(2),
        Native(3),
        Python(2),
        Native(4),
        Native(5),
    ];
    assert_eq!(merge(&loops, 6), Ok(expected.to_vec()));
    assert_eq!(merge(&[], 2), Ok(vec![Native(0), Native(1)]));
    let twice = [Loop { steps: 1, native: 1 }, Loop { steps: 2, native: 1 }];
    assert_eq!(merge(&twice, 6), Err(NativeTorn::Mismatch));
    let crossed = [Loop { steps: 1, native: 3 }, Loop { steps: 2, native: 1 }];
    assert_eq!(merge(&crossed, 6), Err(NativeTorn::Mismatch));
    assert_eq!(merge(&loops, 4), Err(NativeTorn::Mismatch));
}
