"""The doctor: is this installation of this codec right?

    voice          the signals: a synthetic voice, the same everywhere
    patient        one operating point, loaded, and what it made of the voice
    facts          licence, weights, what it says of itself
    ledger         tokens and bits against what is declared
    order          codebooks are read in the order in which they were written
    repeatability  the same tokens again, after another clip, in a batch, on other threads, devices and precisions
    sound          what is decoded: likeness, delay, speed, level, end, silence, look-ahead
    lengths        every length comes back, nothing is refused that is audio
    rates          more bits are better
    golden         tokens and sound against those that were committed
    examination    all of it; `findings` are what comes out, `tables` how it is shown

What each can see. A fault in one direction (two codebooks swapped when encoding, another rate when decoding) makes the
audio wrong, and any check of `sound` may see it. A fault in both (codebooks swapped in encoder and decoder, weights of
another training, a model fed at a rate that is not its own) leaves the round trip as it is: such tokens are right for
themselves and wrong for everyone else's models, and golden tokens alone can tell. Where a codec has none, that is
unknown, and unknown is not healthy.
"""
