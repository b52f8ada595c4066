"""Export models with other libraries, serve them over the Open Inference Protocol, and compare with their libraries."""
