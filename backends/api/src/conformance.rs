//! The conformance suite: what every backend must do, in five lines of its own tests.
