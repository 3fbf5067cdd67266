"""Types of a log's fields. All have a limit: a log may come from anywhere."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Count = Annotated[int, Meta(ge=0, le=10**9)]
Pixels = Annotated[int, Meta(ge=0, le=10**6)]
Macs = Annotated[int, Meta(ge=0, le=10**18)]
Iterations = Annotated[float, Meta(ge=0, le=10**6)]
Share = Annotated[float, Meta(ge=0, le=1)]
Area = Annotated[float, Meta(ge=-(10**12), le=10**12)]  # a box may be inverted
# For differences, too: rounding may make them negative.
Number = Annotated[float, Meta(ge=-(10**18), le=10**18)]
Coordinate = Annotated[float, Meta(ge=-(10**9), le=10**9)]
Label = Annotated[int, Meta(ge=-(10**9), le=10**9)]
Limit = Annotated[int, Meta(ge=1, le=10**4)]
Name = Annotated[str, Meta(max_length=500)]
Text = Annotated[str, Meta(max_length=4096)]
Identifier = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | Text
Stages = Annotated[list[Iterations], Meta(min_length=1, max_length=32)]
StageSizes = Annotated[list[Limit], Meta(min_length=1, max_length=32)]
Blocks = Annotated[list[Limit], Meta(min_length=1, max_length=1000)]
BlockIterations = Annotated[list[Iterations], Meta(max_length=1000)]
BlockMacs = Annotated[list[Macs], Meta(max_length=1000)]
Size = Annotated[list[Pixels], Meta(min_length=2, max_length=2)]
Fields = Annotated[list[Size], Meta(max_length=1000)]
Numbers = Annotated[list[Number], Meta(max_length=10**4)]
Names = Annotated[list[Name], Meta(max_length=10**5)]
Box = Annotated[list[Coordinate], Meta(min_length=4, max_length=4)]
Boxes = Annotated[list[Box], Meta(max_length=3000)]  # overlaps are computed pair by pair
Labels = Annotated[list[Label], Meta(max_length=3000)]
Scores = Annotated[list[Coordinate], Meta(max_length=3000)]
Colour = Annotated[list[Annotated[int, Meta(ge=0, le=255)]], Meta(min_length=3, max_length=3)]
Palette = Annotated[list[Colour], Meta(max_length=10**5)]
