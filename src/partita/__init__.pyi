from . import datasets as datasets, decomposition as decomposition, io as io
from . import plotting as plotting, preprocess as preprocess
from ._labels.sparse import from_sparse as from_sparse
from ._version import __version__ as __version__
from .decomposition import NMF as NMF
from .decomposition import PCA as PCA
from .decomposition import FastICA as FastICA
from .decomposition import estimate_memory as estimate_memory
from .decomposition import load_model as load_model
from .decomposition import save as save
from .io import load as load
