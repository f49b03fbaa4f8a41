//! Blocks: compressed, and whole or not there.

use std::io::{self, Read, Write};

use zstd::bulk::{Compressor, Decompressor};

use super::version::{RecordingError, expect_run};
use super::{LARGEST_BLOCK, LARGEST_CONTENT};

/// How hard to compress. Higher levels cost several times as much for a few percent.
const LEVEL: i32 = 3;

/// Turns contents into blocks.
pub(super) struct Packer {
    compressor: Compressor<'static>,
    /// The block under construction, so that it is written at once.
    block: Vec<u8>,
}

impl Packer {
    /// # Errors
    /// If there is no memory for it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(LEVEL)?, block: Vec::new() })
    }

    /// Writes a block with this content.
    ///
    /// # Errors
    /// Those of `out`.
    pub(super) fn write(&mut self, content: &[u8], out: &mut impl Write) -> io::Result<()> {
        let body = self.compressor.compress(content)?;
        let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.block.clear();
        self.block.extend_from_slice(&length.to_le_bytes());
        self.block.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        self.block.extend_from_slice(&body);
        out.write_all(&self.block)
    }
}

/// What comes next in a recording.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The beginning of a run, in this version of the format.
    Run(u8),
    /// A whole block, whose body has been read.
    Block,
    /// The end.
    End,
    /// Something that is not whole, and all that comes after it.
    Broken,
    /// A run in this version of the format, which is not read, and all that comes after it.
    OtherRelease(u8),
}

/// Cuts a recording into runs and blocks.
pub(super) struct Parts<R> {
    input: R,
    /// The body of the last block.
    body: Vec<u8>,
    /// The bytes of all that was whole.
    whole: u64,
    /// The bytes that were not.
    lost: u64,
}

impl<R: Read> Parts<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, body: Vec::new(), whole: 0, lost: 0 }
    }

    /// The next part. After all but [`Part::Run`] and [`Part::Block`] there is none.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn next(&mut self) -> io::Result<Part> {
        let mut head = [0; 8];
        match read_up_to(&mut self.input, &mut head)? {
            0 => return Ok(Part::End),
            8 => {}
            cut => return self.give_up(cut as u64),
        }
        match expect_run(head) {
            Ok(version) => {
                self.whole += 8;
                return Ok(Part::Run(version));
            }
            Err(RecordingError::OtherRelease { version }) => {
                self.give_up(8)?;
                return Ok(Part::OtherRelease(version));
            }
            Err(_) => {}
        }
        let [a, b, c, d, checksum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length == 0 || length > LARGEST_BLOCK {
            return self.give_up(8);
        }
        self.body.clear();
        // Not more than there is: a length alone reserves no memory.
        self.input.by_ref().take(length as u64).read_to_end(&mut self.body)?;
        let all = 8 + self.body.len() as u64;
        if self.body.len() < length || crc32fast::hash(&self.body).to_le_bytes() != checksum {
            return self.give_up(all);
        }
        self.whole += all;
        Ok(Part::Block)
    }

    /// The body of the last block.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Where the last whole part ends.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// The bytes from the first that is not whole to the end.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }

    /// Treats the last block as broken: its checksum is right, but not its content.
    ///
    /// # Errors
    /// Those of the input.
    pub(super) fn reject_block(&mut self) -> io::Result<()> {
        let block = 8 + self.body.len() as u64;
        self.whole -= block;
        self.give_up(block).map(|_| ())
    }

    fn give_up(&mut self, broken: u64) -> io::Result<Part> {
        self.lost = broken + io::copy(&mut self.input, &mut io::sink())?;
        Ok(Part::Broken)
    }
}

/// Reads until `buffer` is full or nothing is left. Returns how much that was.
pub(super) fn read_up_to(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Turns bodies of blocks back into contents.
pub(super) struct Unpacker {
    decompressor: Decompressor<'static>,
    content: Vec<u8>,
}

impl Unpacker {
    /// # Errors
    /// If there is no memory for it.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { decompressor: Decompressor::new()?, content: Vec::new() })
    }

    /// The content of a block; `None` if the body is not one zstd frame that states a
    /// length within bounds.
    pub(super) fn unpack(&mut self, body: &[u8]) -> Option<&[u8]> {
        let stated = zstd::zstd_safe::get_frame_content_size(body).ok()??;
        let length = usize::try_from(stated).ok().filter(|length| *length <= LARGEST_CONTENT)?;
        self.content.clear();
        self.content.reserve(length);
        self.decompressor.decompress_to_buffer(body, &mut self.content).ok()?;
        Some(&self.content)
    }
}
