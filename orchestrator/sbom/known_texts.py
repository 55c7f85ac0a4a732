# SPDX-License-Identifier: MIT
"""Passages that `texts` recognises: licence texts with their SPDX identifiers, and boilerplate that grants nothing.

`<N>` stands for up to N words of any kind (names of holders, numbers of clauses), `<? ?>` encloses a passage that may
be missing. Longer texts stand before the ones they contain.
"""

from __future__ import annotations

_MIT = """Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the <1>"Software<1>"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of
the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:
The above copyright notice and this permission notice <?(including the next paragraph)?> shall be included in all
copies or substantial portions of the Software. """
_MIT_WARRANTY = """THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT
SHALL <16> BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. """
_X11_CLAUSE = """Except as contained in this notice, the name<1> of <12> shall not be used in advertising or
otherwise to promote the sale, use or other dealings in this Software without prior written authorization <12>"""

_BSD_HEAD = """Redistribution and use in source and binary forms, with or without modification, are permitted
provided that the following conditions are met: <2>Redistributions of source code must retain the above copyright
notice, this list of conditions and the following disclaimer. <2>Redistributions in binary form must reproduce the
above copyright notice, this list of conditions and the following disclaimer in the documentation and/or other
materials provided with the distribution. """
_BSD_ADVERTISING = """<2>All advertising materials mentioning features or use of this software must display the
following acknowledgement: <1>This product includes software developed by <16>"""
_BSD_NAMES = """<3>Neither the name<1> of <14> nor the names of <3> contributors may be used to endorse or promote
products derived from this software without specific prior written permission. """
_BSD_WARRANTY = """THIS SOFTWARE IS PROVIDED BY <14> AS IS AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO
EVENT SHALL <16> BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES
(INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR
BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
(INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
POSSIBILITY OF SUCH DAMAGE."""

_ISC = """Permission to use, copy, modify, and<?/or?> distribute this software for any purpose with or without fee
is hereby granted"""
_ISC_WARRANTY = """THE SOFTWARE IS PROVIDED "AS IS" AND <9> ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL <12> BE LIABLE FOR ANY SPECIAL,
DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE
OR PERFORMANCE OF THIS SOFTWARE."""

_ZLIB = """This software is provided 'as-is', without any express or implied warranty. In no event will the <2>be
held liable for any damages arising from the use of this software. Permission is granted to anyone to use this
software for any purpose, including commercial applications, and to alter it and redistribute it freely, subject to
the following restrictions: <1>The origin of this software must not be misrepresented; you must not claim that you
wrote the original software. If you use this software in a product, an <1>in the product documentation would be
appreciated but is not required. <1>Altered source versions must be plainly marked as such, and must not be
misrepresented as being the original software. <1>This notice may not be removed or altered from any source
distribution."""

_BSL = """Permission is hereby granted, free of charge, to any person or organization obtaining a copy of the
software and accompanying documentation covered by this license (the "Software") to use, reproduce, display,
distribute, execute, and transmit the Software, and to prepare derivative works of the Software, and to permit
third-parties to whom the Software is furnished to do so, all subject to the following: The copyright notices in the
Software and this entire statement, including the above license grant, this restriction and the following
disclaimer, must be included in all copies of the Software, in whole or in part, and all derivative works of the
Software, unless such copies or derivative works are solely in the form of machine-executable object code generated
by a source language processor. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE, TITLE AND
NON-INFRINGEMENT. IN NO EVENT SHALL THE COPYRIGHT HOLDERS OR ANYONE DISTRIBUTING THE SOFTWARE BE LIABLE FOR ANY
DAMAGES OR OTHER LIABILITY, WHETHER IN CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""

_APACHE = """Licensed under the Apache License, Version 2.0 (the "License"); you may not use <1>this file except in
compliance with the License. You may obtain a copy of the License at <8> Unless required by applicable law or agreed
to in writing, software distributed under the License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR
CONDITIONS OF ANY KIND, either express or implied. See the License for the specific language governing permissions
and limitations under the License."""

_FSFAP = """Copying and distribution of this file, with or without modification, are permitted in any medium without
royalty provided the copyright notice and this notice are preserved. <?This file is offered as-is, without any
warranty.?>"""
_FSFULLR = """is free software; the <8> gives unlimited permission to copy and/or distribute it, with or without
modifications, as long as this notice is preserved."""

LICENCES: tuple[tuple[str, str], ...] = (
    ("X11", _MIT + _MIT_WARRANTY + _X11_CLAUSE),
    ("MIT", _MIT + "<?" + _MIT_WARRANTY + "?>"),
    ("BSL-1.0", "<?Boost Software License - Version 1.0 - August 17th, 2003?>" + _BSL),
    ("BSD-4-Clause", _BSD_HEAD + _BSD_ADVERTISING + _BSD_NAMES + _BSD_WARRANTY),
    ("BSD-3-Clause", _BSD_HEAD + _BSD_NAMES + _BSD_WARRANTY),
    ("BSD-2-Clause", _BSD_HEAD + _BSD_WARRANTY),
    (
        "ISC",
        _ISC
        + ", provided that the above copyright notice and this permission notice appear in all copies. "
        + _ISC_WARRANTY,
    ),
    ("0BSD", _ISC + ". " + _ISC_WARRANTY),
    ("Zlib", _ZLIB),
    ("Apache-2.0", _APACHE),
    ("FSFAP", _FSFAP),
    ("FSFULLR", _FSFULLR),
)
"""SPDX identifier and text."""

BOILERPLATE: tuple[str, ...] = (
    """distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty
    of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU <1>General Public License for more
    details.""",
    """distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty
    of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.""",
    """You should have received a copy of the GNU <1>General Public License along with <6>if not, write to the Free
    Software Foundation, Inc.<14> USA""",
    """You should have received a copy of the GNU <1>General Public License along with <6>If not, see
    <4>gnu.org<1>licenses""",
    """You should have received a copy of the GNU <1>General Public License along with""",
)
"""Passages around a grant that add nothing to it."""

FULL_TEXTS: tuple[tuple[str, str, int, str], ...] = (
    (
        "apache-2.0",
        "apache license version 2.0 january 2004 http www.apache.org",
        1601,
        "6b8429eb2cdb07fbab05ae69804d9891502256933c8f286b3901f151de82ea07",
    ),
    (
        "apache-2.0",
        "apache license version 2.0 january 2004 http www.apache.org",
        1428,
        "bc75c9d13e45d1f782a4ded61f435baf29c207c6b7e7c241210883092226de3a",
    ),
    (
        "artistic",
        "the artistic license preamble the intent of this",
        981,
        "0c3638150d888478173e5c3d27881c6089da4ab6d245824b87a04756434e61ad",
    ),
    (
        "bsd",
        "copyright c the regents of the university of",
        226,
        "ede163f2edeebd1d089aa16b5c070d0cb609da9e4b54694c28813a0d4b3cbb7a",
    ),
    (
        "cc0-1.0",
        "creative commons legal code cc0 1.0 universal creative",
        1087,
        "157f233e1cf037dd4dc24bd08eb90c2fbc3042ed8e88b5caf338e5df0e6a7abf",
    ),
    (
        "gfdl-1.2",
        "gnu free documentation license version 1.2 november 2002",
        3325,
        "d6a563e61e9654fc0cd8645b7a158b6c18aa64563ff6d3a0f62cdb223f53ac3a",
    ),
    (
        "gfdl-1.3",
        "gnu free documentation license version 1.3 3 november",
        3742,
        "c48b992959f282b0c4e4de47a0260c032eb25c9bba450b608ef807d4b9204099",
    ),
    (
        "gpl-1",
        "gnu general public license version 1 february 1989",
        2080,
        "d408d9dad6e4560274412e743ec3ba01007197655029f60544c308bc54f80499",
    ),
    (
        "gpl-2",
        "gnu general public license version 2 june 1991",
        2989,
        "0bfb659bf7eeb9921df1446a6a93beba70e0dc947eec10a42d26bb310dccd498",
    ),
    (
        "gpl-3",
        "gnu general public license version 3 29 june",
        5692,
        "2e0b16ecf4e8ad0e2c13a8cb427e2b597bb469b6f972c89163262a6d71019a9b",
    ),
    (
        "lgpl-2",
        "gnu library general public license version 2 june",
        4213,
        "9ccbf81e2fd78db81966e466a22ed39318d0a4b4550cd69d1144dcf09722ff10",
    ),
    (
        "lgpl-2.1",
        "gnu lesser general public license version 2.1 february",
        4412,
        "8af08c956376944a711b3a7ca6eca74094b4e0498bdb6dc5fac6b5b8d7e01a2a",
    ),
    (
        "lgpl-3",
        "gnu lesser general public license version 3 29",
        1240,
        "c32e506696cc537018549c49d324f55de37d7478a77f30359ec9f81aba0139e2",
    ),
    (
        "mpl-1.1",
        "mozilla public license version 1.1 1 definitions 1.0.1",
        3709,
        "7aa25366b1a999c2b21b9f155798e376e18601173d929d8b3c068cd190762342",
    ),
    (
        "mpl-2.0",
        "mozilla public license version 2.0 1 definitions 1.1",
        2369,
        "d6cd1cdd1e5a0cb6384603768f0e37d3071ec10062aa5620e237fa2e5e95db63",
    ),
)
"""Whole licences by the name of their file in /usr/share/common-licenses: first words, number of words, SHA-256 of the
words joined by one space."""
