//! ONNX Runtime's own account of which provider each node was given to (since 1.24), which `ort` does not wrap.

use std::ffi::{CStr, c_char};
use std::ptr;

use ort::AsPointer;
use ort::session::Session;
use ort::sys::{OrtEpAssignedNode, OrtEpAssignedSubgraph, OrtStatusPtr};

use super::Node;

/// The session option without which there is no account.
pub(crate) const RECORD: &str = "session.record_ep_graph_assignment_info";

/// Where the nodes of a session are; it was made with [`RECORD`] set.
pub(crate) fn assigned(session: &Session) -> Result<Vec<Node>, ort::Error> {
    let api = ort::api();
    let (mut subgraphs, mut count) = (ptr::null::<*const OrtEpAssignedSubgraph>(), 0);
    // SAFETY: the session is alive; on success the pointer is to `count` subgraphs that live as long as it does.
    let subgraphs = unsafe {
        check((api.Session_GetEpGraphAssignmentInfo)(session.ptr(), &mut subgraphs, &mut count))?;
        slice(subgraphs, count)
    };
    let mut all = Vec::new();
    for &subgraph in subgraphs {
        let mut provider = ptr::null();
        let (mut nodes, mut count) = (ptr::null::<*const OrtEpAssignedNode>(), 0);
        // SAFETY: a subgraph of the session; texts and nodes live as long as it does.
        let (provider, nodes) = unsafe {
            check((api.EpAssignedSubgraph_GetEpName)(subgraph, &mut provider))?;
            check((api.EpAssignedSubgraph_GetNodes)(subgraph, &mut nodes, &mut count))?;
            (text(provider), slice(nodes, count))
        };
        for &node in nodes {
            let mut operator = ptr::null();
            // SAFETY: a node of the session; its text lives as long as it does.
            let operator = unsafe {
                check((api.EpAssignedNode_GetOperatorType)(node, &mut operator))?;
                text(operator)
            };
            all.push(Node { provider: provider.clone(), operator });
        }
    }
    Ok(all)
}

/// # Safety
/// A status of this runtime that nobody else releases.
unsafe fn check(status: OrtStatusPtr) -> Result<(), ort::Error> {
    // SAFETY: the caller's.
    unsafe { ort::Error::result_from_status(status) }
}

/// # Safety
/// Null, or `count` values that outlive `'a`.
unsafe fn slice<'a, T>(first: *const T, count: usize) -> &'a [T] {
    if first.is_null() {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(first, count) }
}

/// # Safety
/// Null, or a text that ends with zero and lives for the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the caller's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
