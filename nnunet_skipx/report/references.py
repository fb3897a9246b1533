"""The references of a methods paragraph, numbered as they are cited, so that the list has all of them and no other."""

from nnunet_skipx.results.citations import NNUNET as NNUNET

BENAVOLI = (
    "Benavoli A, Corani G, Demšar J, Zaffalon M. Time for a change: a tutorial for comparing multiple classifiers "
    "through Bayesian analysis. Journal of Machine Learning Research 18 (2017)."
)
GUO = "Guo C, Pleiss G, Sun Y, Weinberger KQ. On calibration of modern neural networks. ICML (2017)."
HARTUNG_KNAPP = (
    "Hartung J, Knapp G. On tests of the overall treatment effect in meta-analysis with normally distributed "
    "responses. Statistics in Medicine 20 (2001), 1771-1782."
)
HOLM = "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6 (1979)."
KIRILLOV = "Kirillov A, He K, Girshick R, Rother C, Dollár P. Panoptic segmentation. CVPR (2019)."
MCNEMAR = (
    "McNemar Q. Note on the sampling error of the difference between correlated proportions or percentages. "
    "Psychometrika 12 (1947), 153-157."
)
MONAI = (
    "Cardoso MJ, Li W, Brown R, et al. MONAI: an open-source framework for deep learning in healthcare. arXiv "
    "2211.02701 (2022)."
)
NIKOLOV = (
    "Nikolov S, Blackwell S, Zverovitch A, et al. Clinically applicable segmentation of head and neck anatomy for "
    "radiotherapy: deep learning algorithm development and validation study. Journal of Medical Internet Research "
    "23(7) (2021), e26151."
)
PAULE_MANDEL = (
    "Paule RC, Mandel J. Consensus values and weighting factors. Journal of Research of the National Bureau of "
    "Standards 87 (1982), 377-385."
)
SATTERTHWAITE = (
    "Satterthwaite FE. An approximate distribution of estimates of variance components. Biometrics Bulletin 2 (1946)."
)
TOST = (
    "Schuirmann DJ. A comparison of the two one-sided tests procedure and the power approach for assessing the "
    "equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 15 (1987)."
)
OF_METRICS = {"NSD": (NIKOLOV, MONAI), "HD95": (MONAI,), "lesion": (KIRILLOV,), "ECE": (GUO,)}  # by beginning


class References:
    """Gives each reference a number where it is cited first."""

    def __init__(self) -> None:
        self.cited: list[str] = []

    def __call__(self, *texts: str) -> str:
        """[1], [2] of these.

        >>> cite = References()
        >>> cite("A"), cite("B", "A"), cite.listed
        ('[1]', '[2], [1]', ['[1] A', '[2] B'])
        """
        self.cited += [text for text in dict.fromkeys(texts) if text not in self.cited]
        return ", ".join(f"[{self.cited.index(text) + 1}]" for text in texts)

    @property
    def listed(self) -> list[str]:
        """The list at the end."""
        return [f"[{number}] {text}" for number, text in enumerate(self.cited, start=1)]
