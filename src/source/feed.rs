//! An export's bytes, decoded to UTF-8 block by block. Knows nothing of records.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use futures::StreamExt;
use object_store::{GetResult, GetResultPayload};
use tokio::sync::mpsc;

/// Decoded bytes of one export. Reading blocks, so it belongs on a blocking thread.
pub(super) struct Feed {
    raw: Box<dyn Read + Send>,
    /// Raw bytes read so far.
    pub read_bytes: u64,
    /// The file has no more.
    pub ended: bool,
    /// Something could not be decoded; a replacement character stands in its place.
    pub replaced: bool,
    encoding: &'static Encoding,
    /// `None` while UTF-8 passes through as it is, valid or not.
    decoder: Option<Decoder>,
    begun: bool,
    block: Vec<u8>,
}

/// How many raw bytes are decoded at a time.
const BLOCK: usize = 256 * 1024;

impl Feed {
    pub(super) fn new(raw: Box<dyn Read + Send>, encoding: &'static Encoding) -> Self {
        let decoder = (encoding != UTF_8).then(|| encoding.new_decoder());
        Self { raw, read_bytes: 0, ended: false, replaced: false, encoding, decoder, begun: false, block: Vec::new() }
    }

    /// Appends decoded bytes until `into` holds `wanted` of them, or there are no more.
    pub(super) fn fill(&mut self, into: &mut Vec<u8>, wanted: usize) -> io::Result<()> {
        if !self.begun {
            self.begin(into)?;
        }
        into.reserve(wanted.saturating_sub(into.len()));
        while into.len() < wanted && !self.ended {
            if self.decoder.is_some() {
                self.decode_block(into)?;
            } else {
                let missing = (wanted - into.len()) as u64;
                let got = (&mut self.raw).take(missing).read_to_end(into)?;
                self.read_bytes += got as u64;
                self.ended = (got as u64) < missing;
            }
        }
        Ok(())
    }

    /// A byte order mark says more than a contract: it decides the encoding and is no part of the text.
    fn begin(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        self.begun = true;
        let mut first = Vec::with_capacity(BLOCK);
        let got = (&mut self.raw).take(3).read_to_end(&mut first)?;
        self.read_bytes += got as u64;
        let mark = Encoding::for_bom(&first);
        if let Some((encoding, length)) = mark {
            self.encoding = encoding;
            self.decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
            first.drain(..length);
        }
        if self.decoder.is_some() {
            self.decode(&first, into, false);
        } else {
            into.extend_from_slice(&first);
        }
        Ok(())
    }

    fn decode_block(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let mut block = std::mem::take(&mut self.block);
        block.clear();
        let got = (&mut self.raw).take(BLOCK as u64).read_to_end(&mut block)?;
        self.read_bytes += got as u64;
        self.ended = got < BLOCK;
        self.decode(&block, into, self.ended);
        self.block = block;
        Ok(())
    }

    fn decode(&mut self, mut raw: &[u8], into: &mut Vec<u8>, last: bool) {
        let Some(decoder) = &mut self.decoder else { return };
        loop {
            let space = decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
            let from = into.len();
            into.resize(from + space, 0);
            let (result, read, written, replaced) = decoder.decode_to_utf8(raw, &mut into[from..], last);
            into.truncate(from + written);
            self.replaced |= replaced;
            raw = &raw[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// The bytes of an object, for a blocking reader. A local file is read directly; a download runs as a task and stays at
/// most some blocks ahead.
pub(super) fn blocking(object: GetResult) -> Box<dyn Read + Send> {
    match object.payload {
        GetResultPayload::File(file, _) => Box::new(file),
        GetResultPayload::Stream(mut stream) => {
            let (send, receive) = mpsc::channel(8);
            tokio::spawn(async move {
                while let Some(block) = stream.next().await {
                    let failed = block.is_err();
                    // The reader has gone: it was cancelled, or failed.
                    if send.send(block).await.is_err() || failed {
                        return;
                    }
                }
            });
            Box::new(Download { receive, block: Bytes::new() })
        }
    }
}

struct Download {
    receive: mpsc::Receiver<object_store::Result<Bytes>>,
    block: Bytes,
}

impl Read for Download {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.block.is_empty() {
            match self.receive.blocking_recv() {
                Some(Ok(block)) => self.block = block,
                Some(Err(cause)) => return Err(io::Error::other(cause)),
                None => return Ok(0),
            }
        }
        let taken = self.block.len().min(into.len());
        self.block.copy_to_slice(&mut into[..taken]);
        Ok(taken)
    }
}
