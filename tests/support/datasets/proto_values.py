"""Contents of `tf.train.Example` messages, drawn at random."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

shapes = hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5)


values = st.dictionaries(
    st.text(max_size=8),
    st.one_of(
        st.lists(st.binary(max_size=10), max_size=4),
        hnp.arrays(np.float32, shapes),
        hnp.arrays(np.int64, shapes),
    ),
    max_size=4,
)
