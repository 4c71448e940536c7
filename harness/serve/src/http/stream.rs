//! A connection under deadlines: however slowly bytes come or go, it ends in time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Bytes taken from or given to the system at once.
const PIECE: usize = 16 << 10;

/// Reads up to `room` more bytes before the deadline; how many, 0 at the end.
pub(super) fn read(
    stream: &mut TcpStream,
    into: &mut Vec<u8>,
    room: usize,
    deadline: Instant,
) -> io::Result<usize> {
    stream.set_read_timeout(Some(left(deadline)?))?;
    let mut piece = [0_u8; PIECE];
    let room = room.min(PIECE);
    let n = loop {
        match stream.read(&mut piece[..room]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => break other.map_err(late)?,
        }
    };
    into.extend_from_slice(&piece[..n]);
    Ok(n)
}

/// Writes all of it before the deadline.
pub(super) fn write(stream: &mut TcpStream, bytes: &[u8], deadline: Instant) -> io::Result<()> {
    for piece in bytes.chunks(PIECE) {
        let mut rest = piece;
        while !rest.is_empty() {
            stream.set_write_timeout(Some(left(deadline)?))?;
            match stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => rest = &rest[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(late(error)),
            }
        }
    }
    Ok(())
}

/// Says that nothing follows and throws away what still comes, for a while and within bounds: closing at once would take the
/// answer back before a client that is still sending reads it.
pub(super) fn close(stream: &mut TcpStream, most: usize, time: Duration) {
    let deadline = Instant::now() + time;
    let _ = stream.shutdown(Shutdown::Write);
    let (mut thrown, mut total) = (Vec::new(), 0);
    while total < most {
        match read(stream, &mut thrown, PIECE, deadline) {
            Ok(n) if n > 0 => total += n,
            _ => return,
        }
        thrown.clear();
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    // A timeout of zero would mean none.
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Systems disagree about what a timeout is called.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}
