"""Models as other libraries export them, served over the Open Inference Protocol and compared with their library."""
