"""What more than one adapter needs beside the SDK: a memory that survives, and calls to the outside."""
