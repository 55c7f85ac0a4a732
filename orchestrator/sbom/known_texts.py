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
_ISC_WARRANTY = """THE SOFTWARE IS PROVIDED "AS IS" AND <8> DISCLAIM<1>ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
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
