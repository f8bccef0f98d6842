"""UniCodec's operating points."""

FORMAT = "codeczoo-unicodec"
