//! To sleep a little, and no longer because signals come.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};

/// Sleeps for `time`, or until a signal comes.
///
/// `thread::sleep` goes on after a signal with what is left, to which the kernel adds this
/// thread's slack, 50 µs by default (`hrtimer_nanosleep` in kernel/time/hrtimer.c): whoever is
/// sent signals faster than that sleeps for ever, and what it has stopped stays stopped.
pub(crate) fn nap(time: Duration) {
    let time = TimeSpec::from_duration(time);
    // Whoever naps looks at the clock afterwards.
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &time);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Instant;

    use nix::sys::pthread::{pthread_kill, pthread_self};
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn no_flood_of_signals_makes_it_last() {
        let caught = Arc::new(AtomicUsize::new(0));
        signal_hook::flag::register_usize(signal_hook::consts::SIGURG, Arc::clone(&caught), 1)
            .expect("it can be caught");
        let (tell, told) = channel();
        let sleeper = thread::spawn(move || {
            tell.send(pthread_self()).expect("somebody listens");
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(20) {
                nap(Duration::from_micros(20));
            }
        });
        let id = told.recv().expect("it tells");
        let start = Instant::now();
        // The id is valid until the thread is joined.
        while !sleeper.is_finished() {
            let _ = pthread_kill(id, Signal::SIGURG);
            assert!(start.elapsed() < Duration::from_secs(20), "it sleeps for ever");
        }
        sleeper.join().expect("it ends");
    }

    #[test]
    fn it_lasts_as_long_as_it_should() {
        let start = Instant::now();
        nap(Duration::from_millis(3));
        assert!(start.elapsed() >= Duration::from_millis(3));
    }
}
