//! Reading lines with a cap: what a peer sends before its newline is never kept beyond it.

use std::io::{BufRead, ErrorKind};

/// One line, or why there is none.
#[derive(Debug)]
pub enum Line {
    /// A line, without its newline.
    Text(String),
    /// The peer closed its end.
    End,
    /// More bytes than the cap before a newline; reading further is pointless.
    TooLong,
    /// Not UTF-8.
    NotText,
    /// The stream ended within a line.
    Cut,
}

/// Reads up to the next newline, at most `cap` bytes.
pub fn read_line(input: &mut impl BufRead, cap: usize) -> std::io::Result<Line> {
    let mut line = Vec::new();
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(if line.is_empty() { Line::End } else { Line::Cut });
        }
        let newline = buffer.iter().position(|&byte| byte == b'\n');
        let taken = newline.unwrap_or(buffer.len());
        if line.len() + taken > cap {
            return Ok(Line::TooLong);
        }
        line.extend_from_slice(&buffer[..taken]);
        input.consume(newline.map_or(taken, |at| at + 1));
        if newline.is_some() {
            return Ok(String::from_utf8(line).map_or(Line::NotText, Line::Text));
        }
    }
}
