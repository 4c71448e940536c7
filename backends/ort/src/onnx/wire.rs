//! Protocol buffers' wire format, the writing half: fields of four kinds, nothing of any schema.

/// A message under construction.
#[derive(Default)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A number: wire type 0, negative ones as 64-bit two's complement.
    pub(super) fn int(&mut self, field: u32, value: i64) -> &mut Message {
        self.tag(field, 0);
        self.varint(value as u64);
        self
    }

    /// A float: wire type 5.
    pub(super) fn float(&mut self, field: u32, value: f32) -> &mut Message {
        self.tag(field, 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Bytes or text: wire type 2.
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) -> &mut Message {
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// Text.
    pub(super) fn text(&mut self, field: u32, value: &str) -> &mut Message {
        self.bytes(field, value.as_bytes())
    }

    /// A message inside.
    pub(super) fn message(&mut self, field: u32, fill: impl FnOnce(&mut Message)) -> &mut Message {
        let mut inner = Message::default();
        fill(&mut inner);
        self.bytes(field, &inner.bytes)
    }

    fn tag(&mut self, field: u32, kind: u64) {
        self.varint(u64::from(field) << 3 | kind);
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_the_specification() {
        let mut message = Message::default();
        message.int(1, 150).text(2, "testing").float(3, 1.0);
        message.message(4, |inner| {
            inner.int(1, -1);
        });
        let mut expected = vec![0x08, 0x96, 0x01, 0x12, 7];
        expected.extend_from_slice(b"testing");
        expected.extend_from_slice(&[0x1d, 0, 0, 0x80, 0x3f]);
        expected.extend_from_slice(&[0x22, 11, 0x08]);
        expected.extend_from_slice(&[0xff; 9]);
        expected.push(1);
        assert_eq!(message.into_bytes(), expected);
    }
}
