"""Packaging of nnunet_skipx: the top-level folder `trainers/` ships as the package `nnunet_skipx.trainers`."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = (HERE / "nnunet_skipx" / "__init__.py").read_text().split('__version__ = "')[1].split('"')[0]

setup(
    name="nnunet-skipx",
    version=VERSION,
    description="Published skip connections as drop-in nnU-Net trainers, compared fairly",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[*find_packages(include=["nnunet_skipx", "nnunet_skipx.*"]), "nnunet_skipx.trainers"],
    package_dir={"nnunet_skipx.trainers": "trainers"},
    package_data={
        "nnunet_skipx": ["py.typed"],
        "nnunet_skipx.report": ["templates/*"],
        "nnunet_skipx.datasets.check": ["templates/*"],
    },
    install_requires=[
        "nnunetv2>=2.8,<3",
        "torch>=2.5",
        "dynamic-network-architectures>=0.4.4,<0.5",
        "batchgenerators",
        "batchgeneratorsv2>=0.3.6,<0.4",  # whose transforms _gpuaug carries out
        "SimpleITK",
        "nibabel",
        "pandas",
        "pyarrow",
        "numpy",
        "packaging",
        "scipy>=1.15",
        "matplotlib>=3.10",
        "pillow",
        "monai>=1.4",
        "filelock>=3.30",  # before, workers kept the lock of a training that was killed
        "jinja2",
        "requests",
        "rich",
        "scikit-image",
        "submitit",
        'tomli; python_version < "3.11"',
        "tqdm",
    ],
    extras_require={
        "datasets": ["h5py"],  # only for TransUNet's preprocessed volumes
        "check": ["surface-distance"],  # only for skipx report --check-metrics
        "docs": ["mkdocs-material", "mkdocstrings-python"],
        "dev": [
            "nnunet-skipx[docs]",
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "statsmodels",
            "ruff",
            "mypy",
            "h5py",
            "surface-distance",
            "build",
            "twine",
            "setuptools>=77",  # the wheel, built without a download
            "pyyaml",  # CITATION.cff
            "nbclient",
            "nbformat",
            "ipykernel",
        ],
    },
    entry_points={"console_scripts": ["skipx = nnunet_skipx.cli.main:main"]},
    classifiers=[
        "Intended Audience :: Science/Research",
        "Topic :: Scientific/Engineering :: Medical Science Apps.",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in (10, 11, 12, 13)),
    ],
)
