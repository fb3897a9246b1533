"""What to cite for a trainer: its network's source, nnU-Net, and what options in its name add."""

from nnunet_skipx.nnunet.trainer_name import BASELINE
from nnunet_skipx.results.reference import Reference
from nnunet_skipx.system.text_table import text_table

NNUNET = Reference(
    "isensee2021nnunet",
    "article",
    ("Isensee, Fabian", "Jaeger, Paul F.", "Kohl, Simon A. A.", "Petersen, Jens", "Maier-Hein, Klaus H."),
    "nnU-Net: a self-configuring method for deep learning-based biomedical image segmentation",
    "Nature Methods",
    2021,
    volume="18",
    pages="203-211",
    doi="10.1038/s41592-020-01008-z",
)
UTANET = Reference(
    "luo2025utanet",
    "inproceedings",
    ("Luo, Zichen", "Zhu, Xinshan", "Zhang, Lan", "Sun, Biao"),
    "Rethinking U-Net: Task-Adaptive Mixture of Skip Connections for Enhanced Medical Image Segmentation",
    "Proceedings of the AAAI Conference on Artificial Intelligence",
    2025,
    volume="39",
    pages="5874-5882",
    url="https://ojs.aaai.org/index.php/AAAI/article/view/32627",
)
XUNET = Reference(  # no paper was found; author and year are those of its licence
    "liao2024xunet",
    "misc",
    ("Liao, Guoying",),
    "XUNet: UNet Cross Over Features",
    "Source code",
    2024,
    url="https://github.com/lgy112112/XUNet",
    note="No paper was found",
)
UDTRANSNET = Reference(  # the version on arXiv names Xiaoli Liu, too
    "wang2024udtransnet",
    "article",
    ("Wang, Haonan", "Cao, Peng", "Yang, Jinzhu", "Zaiane, Osmar"),
    "Narrowing the semantic gaps in U-Net with learnable skip connections: The case of medical image segmentation",
    "Neural Networks",
    2024,
    volume="178",
    pages="106546",
    arxiv="2312.15182",
)
MSAUNET = Reference(  # neither paper nor year was found; the authors are those that the file names
    "guo_msaunet",
    "misc",
    ("Guo, Xiaoyan", "Wang, Yuefei"),
    "MSA-Unet",
    "Source code, Chengdu University",
    url="https://github.com/YF-W/MSA-Unet",
    note="No paper was found",
)
U2NET = Reference(
    "huang2019u2net",
    "inproceedings",
    ("Huang, Chao", "Han, Hu", "Yao, Qingsong", "Zhu, Shankuan", "Zhou, S. Kevin"),
    "3D U2-Net: A 3D Universal U-Net for Multi-Domain Medical Image Segmentation",
    "Medical Image Computing and Computer Assisted Intervention (MICCAI)",
    2019,
    series="Lecture Notes in Computer Science",
    volume="11765",
    pages="291-299",
    doi="10.1007/978-3-030-32245-8_33",
    arxiv="1909.06012",
)
ATTENTION_UNET = Reference(
    "oktay2018attention",
    "inproceedings",
    (
        *("Oktay, Ozan", "Schlemper, Jo", "Le Folgoc, Loic", "Lee, Matthew", "Heinrich, Mattias", "Misawa, Kazunari"),
        *("Mori, Kensaku", "McDonagh, Steven", "Hammerla, Nils Y.", "Kainz, Bernhard", "Glocker, Ben"),
        "Rueckert, Daniel",
    ),
    "Attention U-Net: Learning Where to Look for the Pancreas",
    "Medical Imaging with Deep Learning (MIDL)",
    2018,
    arxiv="1804.03999",
)
UNET_PLUS_PLUS = Reference(
    "zhou2020unetplusplus",
    "article",
    ("Zhou, Zongwei", "Rahman Siddiquee, Md Mahfuzur", "Tajbakhsh, Nima", "Liang, Jianming"),
    "UNet++: Redesigning Skip Connections to Exploit Multiscale Features in Image Segmentation",
    "IEEE Transactions on Medical Imaging",
    2020,
    volume="39",
    pages="1856-1867",
    doi="10.1109/TMI.2019.2959609",
    arxiv="1912.05074",
)
UNET3PLUS = Reference(
    "huang2020unet3plus",
    "inproceedings",
    (
        *("Huang, Huimin", "Lin, Lanfen", "Tong, Ruofeng", "Hu, Hongjie", "Zhang, Qiaowei", "Iwamoto, Yutaro"),
        *("Han, Xianhua", "Chen, Yen-Wei", "Wu, Jian"),
    ),
    "UNet 3+: A Full-Scale Connected UNet for Medical Image Segmentation",
    "IEEE International Conference on Acoustics, Speech and Signal Processing (ICASSP)",
    2020,
    pages="1055-1059",
    doi="10.1109/ICASSP40776.2020.9053405",
    arxiv="2004.08790",
)
UCTRANSNET = Reference(
    "wang2022uctransnet",
    "inproceedings",
    ("Wang, Haonan", "Cao, Peng", "Wang, Jiaqi", "Zaiane, Osmar R."),
    "UCTransNet: Rethinking the Skip Connections in U-Net from a Channel-Wise Perspective with Transformer",
    "Proceedings of the AAAI Conference on Artificial Intelligence",
    2022,
    volume="36",
    pages="2441-2449",
    doi="10.1609/aaai.v36i3.20144",
    arxiv="2109.04335",
)
FUSEUNET = Reference(
    "he2025fuseunet",
    "inproceedings",
    ("He, Quansong", "Min, Xiangde", "Wang, Kaishen", "He, Tao"),
    "FuseUNet: A Multi-Scale Feature Fusion Method for U-like Networks",
    "Proceedings of the 42nd International Conference on Machine Learning (ICML)",
    2025,
    series="Proceedings of Machine Learning Research",
    volume="267",
    pages="22669-22685",
    arxiv="2506.05821",
)
BY_TRAINER = {
    BASELINE: NNUNET,
    "nnUNetTrainerAttentionUNet": ATTENTION_UNET,
    "nnUNetTrainerFuseUNet": FUSEUNET,
    "nnUNetTrainerMSAUNet": MSAUNET,
    "nnUNetTrainerNoSkip": UDTRANSNET,  # for the comparison; cutting skips is older than any paper on it
    "nnUNetTrainerU2Net": U2NET,
    "nnUNetTrainerU2NetUniversal": U2NET,
    "nnUNetTrainerUCTransNet": UCTRANSNET,
    "nnUNetTrainerUDTransNet": UDTRANSNET,
    "nnUNetTrainerUNetPlusPlus": UNET_PLUS_PLUS,
    "nnUNetTrainerUNet3Plus": UNET3PLUS,
    "nnUNetTrainerUTANet": UTANET,
    "nnUNetTrainerXUNet": XUNET,
}

ADAMW = Reference(
    "loshchilov2019adamw",
    "inproceedings",
    ("Loshchilov, Ilya", "Hutter, Frank"),
    "Decoupled Weight Decay Regularization",
    "International Conference on Learning Representations (ICLR)",
    2019,
    arxiv="1711.05101",
)
ELASTIC = Reference(
    "cicek20163dunet",
    "inproceedings",
    ("Çiçek, Özgün", "Abdulkadir, Ahmed", "Lienkamp, Soeren S.", "Brox, Thomas", "Ronneberger, Olaf"),
    "3D U-Net: Learning Dense Volumetric Segmentation from Sparse Annotation",
    "Medical Image Computing and Computer-Assisted Intervention (MICCAI)",
    2016,
    series="Lecture Notes in Computer Science",
    volume="9901",
    pages="424-432",
    doi="10.1007/978-3-319-46723-8_49",
)
SERIES = Reference(
    "rebuffi2017adapters",
    "inproceedings",
    ("Rebuffi, Sylvestre-Alvise", "Bilen, Hakan", "Vedaldi, Andrea"),
    "Learning multiple visual domains with residual adapters",
    "Advances in Neural Information Processing Systems",
    2017,
    volume="30",
    pages="506-516",
    arxiv="1705.08045",
)
PARALLEL = Reference(
    "rebuffi2018parametrization",
    "inproceedings",
    ("Rebuffi, Sylvestre-Alvise", "Bilen, Hakan", "Vedaldi, Andrea"),
    "Efficient parametrization of multi-domain deep neural networks",
    "IEEE Conference on Computer Vision and Pattern Recognition (CVPR)",
    2018,
    pages="8119-8127",
    arxiv="1803.10082",
)
BY_OPTION = {"adamw": ADAMW, "elastic": ELASTIC, "series": SERIES, "parallel": PARALLEL}


def sources_text() -> str:
    """Every trainer of ours with what its network was published as, for the terminal."""
    rows = [
        {
            "trainer": trainer,
            "year": str(one.year or "-"),
            "DOI, arXiv or address": one.identifier,
            "source": f"{one.title}. {one.venue}",
        }
        for trainer, one in BY_TRAINER.items()
    ]
    return text_table(rows)
