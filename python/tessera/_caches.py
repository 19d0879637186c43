"""Memory for inputs that outputs extend, such as the past of an attention."""

import numpy as np

from ._library import TesseraError


class Caches:
    """Memory with room to grow for every input that an output of the session
    extends; Session.make_caches makes it. A run with `caches=` reads the past from
    there and writes behind it, without a copy.

    `arrays`: by input name, with `capacity` positions; `lengths`: by input name, how
    many of them are filled. One run at a time may use it.
    """

    def __init__(self, session, capacity, sizes):
        inputs = {port.name: port for port in session.get_inputs()}
        self.capacity = capacity
        self.arrays, self.lengths = {}, {}
        self._extending = {}  # name of the output: name of the input, axis
        for output in session.get_outputs():
            if output.extends is None:
                continue
            name, axis = output.extends
            port = inputs[name]
            shape = list(port.shape)
            shape[axis] = capacity
            for i, size in enumerate(shape):
                if isinstance(size, str):
                    if size not in sizes:
                        raise TesseraError(f"input '{name}' needs the size {size}: give {size}=")
                    shape[i] = sizes[size]
            self.arrays[name] = np.zeros(shape, port.dtype)
            self.lengths[name] = 0
            self._extending[output.name] = (name, axis)
        if not self._extending:
            raise TesseraError("the model has no output that extends an input")

    @property
    def length(self):
        """How many positions are filled, the most of all caches."""
        return max(self.lengths.values())

    def clear(self):
        """Forgets the past; the memory stays."""
        self.lengths = dict.fromkeys(self.lengths, 0)

    def outputs(self):
        """The names of the outputs that are written here."""
        return list(self._extending)

    def _part(self, name, axis, length):
        return self.arrays[name][(slice(None),) * axis + (slice(length),)]

    def past(self):
        """By input name: the part that is filled."""
        return {
            name: self._part(name, axis, self.lengths[name])
            for name, axis in self._extending.values()
        }

    def room(self, output, shape):
        """Where `output` is written, of that shape. Fails if it is too small."""
        name, axis = self._extending[output]
        if shape[axis] > self.capacity:
            raise TesseraError(
                f"output '{output}' needs room for {shape[axis]} along dimension {axis} "
                f"but the cache has a capacity of {self.capacity}"
            )
        return self._part(name, axis, shape[axis])

    def written(self, output, shape):
        """Takes what `output` wrote as past."""
        name, axis = self._extending[output]
        self.lengths[name] = shape[axis]
