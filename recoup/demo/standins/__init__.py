"""Local servers that the real SDKs take for their vendors."""
