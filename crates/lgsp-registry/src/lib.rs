//! Layer 1, pure: agencies, systems and connectors as of a date; who may speak for whom, and where a message goes.
