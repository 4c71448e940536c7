//! A graph under construction, and its form as an ONNX model file (onnx.proto of ONNX 1.19, IR version 10, opset 21).

use super::wire::Message;

/// Version of the file format, and of the operators.
const IR_VERSION: i64 = 10;
const OPSET: i64 = 21;
/// The domain of ONNX Runtime's own operators.
const CONTRIB: &str = "com.microsoft";

/// Numbers of `TensorProto.DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum ElementType {
    F32 = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I32 = 6,
    I64 = 7,
    F16 = 10,
    BF16 = 16,
    U4 = 21,
    I4 = 22,
}

/// A dimension: a number, or the name of one that is known when the graph runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dim {
    Fixed(usize),
    Named(&'static str),
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    Int(i64),
    Float(f32),
    Text(&'static str),
    Ints(Vec<i64>),
}

/// A tensor in the file of weights.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Stored {
    pub(crate) element: ElementType,
    pub(crate) shape: Vec<usize>,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// A graph under construction: fields of the file, already encoded, and the names given so far.
pub(crate) struct Graph {
    nodes: Message,
    weights: Message,
    inputs: Message,
    outputs: Message,
    /// The file of weights, relative to the graph's.
    file: String,
    names: std::collections::BTreeSet<String>,
    fresh: usize,
    /// Nodes so far.
    pub(crate) count: usize,
}

impl Graph {
    /// An empty graph whose weights lie in `file`, beside its own file.
    pub(crate) fn new(file: &str) -> Graph {
        Graph {
            nodes: Message::default(),
            weights: Message::default(),
            inputs: Message::default(),
            outputs: Message::default(),
            file: file.to_owned(),
            names: std::collections::BTreeSet::new(),
            fresh: 0,
            count: 0,
        }
    }

    /// Declares an input; returns its name.
    pub(crate) fn input(&mut self, name: &str, element: ElementType, shape: &[Dim]) -> String {
        self.inputs.message(11, |info| value_info(info, name, element, shape));
        name.to_owned()
    }

    /// Declares an output of this name.
    pub(crate) fn output(&mut self, name: &str, element: ElementType, shape: &[Dim]) {
        self.outputs.message(12, |info| value_info(info, name, element, shape));
    }

    /// A tensor of the file of weights; naming it twice is naming it once.
    pub(crate) fn stored(&mut self, name: &str, stored: &Stored) -> String {
        if !self.names.insert(name.to_owned()) {
            return name.to_owned();
        }
        let file = &self.file;
        self.weights.message(5, |tensor| {
            for &dim in &stored.shape {
                tensor.int(1, dim as i64);
            }
            tensor.int(2, stored.element as i64).text(8, name);
            let entries = [
                ("location", file.clone()),
                ("offset", stored.offset.to_string()),
                ("length", stored.bytes.to_string()),
            ];
            for (key, value) in entries {
                tensor.message(13, |entry| {
                    entry.text(1, key).text(2, &value);
                });
            }
            tensor.int(14, 1);
        });
        name.to_owned()
    }

    /// Small constants, written into the graph itself.
    pub(crate) fn constant(
        &mut self,
        element: ElementType,
        shape: &[usize],
        bytes: &[u8],
    ) -> String {
        let name = self.fresh("constant");
        self.weights.message(5, |tensor| {
            for &dim in shape {
                tensor.int(1, dim as i64);
            }
            tensor.int(2, element as i64).text(8, &name).bytes(9, bytes);
        });
        name
    }

    /// A constant vector of whole numbers.
    pub(crate) fn ints(&mut self, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(ElementType::I64, &[values.len()], &bytes)
    }

    /// A constant number.
    pub(crate) fn scalar(&mut self, value: f32) -> String {
        self.constant(ElementType::F32, &[], &value.to_le_bytes())
    }

    /// A constant vector.
    pub(crate) fn vector(&mut self, values: &[f32]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(ElementType::F32, &[values.len()], &bytes)
    }

    /// A node of ONNX's own operators with one output; `name` is what profiles call it.
    pub(crate) fn node(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.nodes(name, "", operator, inputs, 1, attributes).remove(0)
    }

    /// A tensor with its dimensions in another order.
    pub(crate) fn transpose(&mut self, name: &str, x: &str, order: &[i64]) -> String {
        self.node(name, "Transpose", &[x], &[("perm", Attribute::Ints(order.to_vec()))])
    }

    /// A node of ONNX Runtime's own operators.
    pub(crate) fn contrib(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.nodes(name, CONTRIB, operator, inputs, 1, attributes).remove(0)
    }

    /// A node with several outputs.
    pub(crate) fn nodes(
        &mut self,
        name: &str,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: usize,
        attributes: &[(&str, Attribute)],
    ) -> Vec<String> {
        let outputs: Vec<String> = (0..outputs).map(|_| self.fresh(name)).collect();
        let named: Vec<&str> = outputs.iter().map(String::as_str).collect();
        self.node_to(name, domain, operator, inputs, &named, attributes);
        outputs
    }

    /// A node whose outputs have given names.
    pub(crate) fn node_to(
        &mut self,
        name: &str,
        domain: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) {
        self.count += 1;
        // Names of nodes are unique; the profile's reader cuts the number off again.
        let name = format!("{name}#{}", self.count);
        self.nodes.message(1, |node| {
            inputs.iter().for_each(|input| _ = node.text(1, input));
            outputs.iter().for_each(|output| _ = node.text(2, output));
            node.text(3, &name).text(4, operator);
            for (key, value) in attributes {
                node.message(5, |attribute| write_attribute(attribute, key, value));
            }
            node.text(7, domain);
        });
    }

    fn fresh(&mut self, stem: &str) -> String {
        self.fresh += 1;
        format!("{stem}/{}", self.fresh)
    }

    /// The model file.
    pub(crate) fn into_model(self) -> Vec<u8> {
        let mut graph = self.nodes.into_bytes();
        let mut named = Message::default();
        named.text(2, "yardstick");
        for part in [named, self.weights, self.inputs, self.outputs] {
            graph.extend(part.into_bytes());
        }
        let mut model = Message::default();
        model.int(1, IR_VERSION).text(2, "yardstick").text(3, env!("CARGO_PKG_VERSION"));
        model.bytes(7, &graph);
        for (domain, version) in [("", OPSET), (CONTRIB, 1)] {
            model.message(8, |set| {
                set.text(1, domain).int(2, version);
            });
        }
        model.into_bytes()
    }
}

fn value_info(info: &mut Message, name: &str, element: ElementType, shape: &[Dim]) {
    info.text(1, name).message(2, |kind| {
        kind.message(1, |tensor| {
            tensor.int(1, element as i64).message(2, |dims| {
                for dim in shape {
                    dims.message(1, |field| match dim {
                        Dim::Fixed(size) => _ = field.int(1, *size as i64),
                        Dim::Named(name) => _ = field.text(2, name),
                    });
                }
            });
        });
    });
}

fn write_attribute(message: &mut Message, key: &str, value: &Attribute) {
    message.text(1, key);
    match value {
        Attribute::Float(value) => message.float(2, *value).int(20, 1),
        Attribute::Int(value) => message.int(3, *value).int(20, 2),
        Attribute::Text(value) => message.text(4, value).int(20, 3),
        Attribute::Ints(values) => {
            values.iter().for_each(|value| _ = message.int(8, *value));
            message.int(20, 7)
        }
    };
}
