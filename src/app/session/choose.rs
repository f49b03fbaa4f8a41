//! Which way samples are taken: by the kernel where it may, else in stops, or without.

use std::time::Duration;

use crate::app::attach::Attached;
use crate::app::error::Error;
use crate::app::options::{EngineChoice, Options};
use crate::cpython::abi::Abi;
use crate::cpython::read::code::CodeCache;
use crate::profile::{ProcessId, Source};
use crate::sampler::interrupt::{
    Interrupts, KernelError, Plan, SHORTEST_INTERVAL, SHORTEST_WITH_JITTER,
};
use crate::sampler::selection::Selection;
use crate::sampler::stop::pause::Pause;
use crate::target::live::scheduling::is_woken_at_once;

/// The interval of a run that is to be as fast as possible, where the limit of stops says how
/// fast that is: how often it is looked whether another stop is allowed.
const BETWEEN_CHANCES: Duration = Duration::from_micros(100);

/// The way that was chosen.
pub(super) struct Way<A> {
    pub source: Source,
    /// The kernel's engine, if that takes the samples.
    pub interrupts: Option<Interrupts<A>>,
    /// Why the kernel does not take them, if it was asked.
    pub refusal: Option<KernelError>,
    /// The time between two ticks.
    pub interval: Duration,
}

impl<A: Abi> Way<A> {
    /// Finds the way for a process, which the profile calls `process_id`.
    ///
    /// # Errors
    /// If the kernel has to take the samples, and does not.
    pub(super) fn choose(
        options: &Options,
        attached: &Attached,
        code: CodeCache<A>,
        process_id: ProcessId,
        selection: Option<Selection>,
    ) -> Result<Self, Error> {
        let refusal = match options.engine {
            EngineChoice::Stop => return Ok(Self::without_kernel(options, Source::Stop, None)),
            EngineChoice::Read => return Ok(Self::without_kernel(options, Source::Read, None)),
            EngineChoice::Kernel | EngineChoice::Auto => {
                match start(options, attached, code, process_id, selection) {
                    Ok(way) => return Ok(way),
                    Err(refusal) => refusal,
                }
            }
        };
        if options.engine == EngineChoice::Kernel {
            return Err(refusal.into());
        }
        let source = if options.pause.is_ever() { Source::Stop } else { Source::Read };
        Ok(Self::without_kernel(options, source, Some(refusal)))
    }

    fn without_kernel(options: &Options, source: Source, refusal: Option<KernelError>) -> Self {
        let is_fastest = options.interval.is_zero();
        let source = match source {
            Source::Read if !is_fastest && is_woken_at_once() => Source::Turn,
            source => source,
        };
        let is_limited = matches!(options.pause, Pause::UpTo(_)) && source == Source::Stop;
        let least = if is_limited { BETWEEN_CHANCES } else { Duration::ZERO };
        let interval = if options.interval.is_zero() { least } else { options.interval };
        Self { source, interrupts: None, refusal, interval }
    }
}

fn start<A: Abi>(
    options: &Options,
    attached: &Attached,
    code: CodeCache<A>,
    process_id: ProcessId,
    selection: Option<Selection>,
) -> Result<Way<A>, KernelError> {
    let pid = attached.process.pid();
    let least = if options.jitter { SHORTEST_WITH_JITTER } else { SHORTEST_INTERVAL };
    let interval = options.interval.max(least);
    let process = attached.process.reopen().map_err(|_| KernelError::Gone { pid })?;
    let (memory, roots) = (attached.memory.clone(), attached.roots.clone());
    let is_free_threaded = roots.attached().is_some();
    let plan = Plan {
        interval,
        jitter: options.jitter,
        mode: options.mode,
        is_free_threaded,
        native: options.native.is_any(),
    };
    let interrupts = Interrupts::start(process, memory, roots, code, process_id, selection, plan)?;
    let source = Source::Interrupt;
    Ok(Way { source, interrupts: Some(interrupts), refusal: None, interval })
}
